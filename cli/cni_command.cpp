#include "cli/cni_install.hpp"
#include "cli/command.hpp"
#include "cni/masquerade.hpp"
#include "kernel/nft/nft_socket.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

namespace sluice::cli {
namespace {

/// Beside this program, as the packages put it.
std::string own_cni_program() {
  std::error_code unknown;
  return std::filesystem::read_symlink("/proc/self/exe", unknown).parent_path() / "sluice";
}

struct Flags {
  std::string program = own_cni_program(), folder = "/opt/cni/bin", names = "sluice,sluice-ipam";
};

Outcome install(const Flags &flags) {
  SLUICE_ASSIGN(const auto names, parse_cni_names(flags.names), "--names");
  SLUICE_TRY(install_cni(flags.program, flags.folder, names), "cni install");
  for (const auto &name : names)
    std::printf("%s/%s\n", flags.folder.c_str(), name.c_str());
  return 0;
}

/// Pods that live on lose masquerade until the next ADD.
Outcome cleanup() {
  SLUICE_ASSIGN(auto nft, kernel::nft::NftSocket::open(), "cni cleanup");
  kernel::nft::Batch batch(
      kernel::nft::TableId{kernel::nft::TableFamily::inet, cni::kMasqueradeTable});
  batch.destroy_table();
  SLUICE_TRY(nft.commit(batch), "cni cleanup");
  std::printf("nft table inet %s is gone\n", cni::kMasqueradeTable);
  return 0;
}

} // namespace

void add_cni(CLI::App &parent, Outcome &outcome) {
  const auto flags = std::make_shared<Flags>();
  auto *cni = parent.add_subcommand("cni", "the CNI plugin of this node");
  cni->require_subcommand(1);
  auto *put = cni->add_subcommand("install", "put the plugin where runtimes look for it");
  put->add_option("--from", flags->program, "the program");
  put->add_option("--to", flags->folder, "folder of the plugins");
  put->add_option("--names", flags->names,
                  "names with commas between; all: the reference plugins' too");
  put->callback([flags, &outcome] { outcome = install(*flags); });
  cni->add_subcommand("cleanup", "remove the masquerade rules that ADD made")->callback([&outcome] {
    outcome = cleanup();
  });
}

} // namespace sluice::cli
