#include "kernel/iptables.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace sluice::kernel::iptables {
namespace {

/// Where distributions have them: a daemon's PATH often lacks the sbin folders.
constexpr std::array kFolders{"/usr/sbin/", "/sbin/", "/usr/local/sbin/", "/usr/bin/", "/bin/"};
/// Of iptables(8): another program holds the lock.
constexpr int kLockHeld = 4;
/// In seconds; without it iptables-restore waits for ever, and with 0 too.
constexpr auto kLockWait = "1";
constexpr auto kLockFile = "/run/xtables.lock";

bool is_locked() {
  const UniqueFd file(::open(kLockFile, O_RDONLY | O_CLOEXEC));
  return file && ::flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

Error busy() {
  return {Errc::busy,
          std::string("write iptables rules: another program holds the lock ") + kLockFile};
}

Result<std::string> find_program(const std::string &name) {
  for (const std::string folder : kFolders)
    if (::access((folder + name).c_str(), X_OK) == 0)
      return folder + name;
  return fail(Errc::unsupported,
              "there is no program \"" + name +
                  "\": install the package \"iptables\", or choose another mode");
}

std::string program_name(Family family, Flavour flavour, std::string_view verb) {
  return std::string(family == Family::ipv4 ? "iptables-" : "ip6tables-") +
         std::string(name_of(flavour)) + "-" + std::string(verb);
}

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

class ProgramTool final : public Tool {
public:
  ProgramTool(ToolOptions options, std::string save, std::string restore)
      : options_(options), save_(std::move(save)), restore_(std::move(restore)) {}

  Result<std::string> save(std::string_view table) override {
    std::vector<std::string> argv{save_};
    if (!table.empty())
      argv.insert(argv.end(), {"-t", std::string(table)});
    SLUICE_ASSIGN(auto output, run(std::move(argv), ""), "read the iptables rules");
    if (!output.status.success())
      return fail(failed(save_, output, Errc::kernel));
    return std::move(output.stdout_text);
  }

  Result<> restore(std::string_view text) override {
    // The program would wait for a whole second at least, and the caller with it.
    if (options_.flavour == Flavour::legacy && is_locked())
      return fail(busy());
    SLUICE_ASSIGN(const auto output, run({restore_, "--noflush", "-w", kLockWait}, text),
                  "write iptables rules");
    if (output.status.code == kLockHeld && output.status.signal == 0)
      return fail(busy());
    if (!output.status.success())
      return fail(failed(restore_, output, Errc::invalid_input));
    return {};
  }

private:
  Result<Output> run(std::vector<std::string> argv, std::string_view input) const {
    return run_program({.argv = std::move(argv), .netns_fd = options_.netns_fd}, input,
                       options_.deadline);
  }

  static Error failed(const std::string &program, const Output &output, Errc code) {
    return {code, program + " " + output.status.str() + ": " + first_line(output.stderr_text)};
  }

  ToolOptions options_;
  std::string save_, restore_;
};

/// Of the rest of the line, what stands before the next blank; `line` goes on behind it.
std::string_view take_word(std::string_view &line) {
  const auto end = std::min(line.find(' '), line.size());
  const auto word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

class Reader {
public:
  explicit Reader(const Visitor &visitor) : visitor_(visitor) {}

  Result<> line(std::string_view line) {
    if (line.empty() || line.front() == '#' || line == "COMMIT")
      return {};
    if (line.front() == '*') {
      table_ = line.substr(1);
      return {};
    }
    const auto all = line;
    if (line.front() == '[') // counters, if asked for
      take_word(line);
    const auto first = take_word(line);
    if (table_.empty() || first.size() < 2 || (first.front() != ':' && first != "-A"))
      return fail(Errc::invalid_input,
                  "read the iptables rules: unexpected line \"" + std::string(all) + "\"");
    if (first.front() == ':') {
      if (visitor_.chain)
        visitor_.chain(table_, first.substr(1), take_word(line));
      return {};
    }
    const auto chain = take_word(line);
    if (visitor_.rule)
      visitor_.rule(table_, chain, line);
    return {};
  }

private:
  const Visitor &visitor_;
  std::string_view table_;
};

/// kubelet makes one of these in the table mangle of the flavour that it uses.
bool has_kubelet_hint(std::string_view saved) {
  return saved.find("\n:KUBE-IPTABLES-HINT ") != std::string_view::npos ||
         saved.find("\n:KUBE-KUBELET-CANARY ") != std::string_view::npos;
}

std::size_t count_rules(std::string_view saved) {
  std::size_t count = 0;
  for (auto at = saved.find("\n-A "); at != std::string_view::npos;
       at = saved.find("\n-A ", at + 1))
    ++count;
  return count;
}

/// What both families have. A flavour that is not installed, or that the kernel lacks, has nothing.
std::string saved_of(Flavour flavour, std::optional<int> netns_fd) {
  std::string text;
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    const auto tool = open_tool({.family = family, .flavour = flavour, .netns_fd = netns_fd});
    if (!tool)
      continue;
    if (const auto saved = (*tool)->save(""))
      text += *saved;
  }
  return text;
}

bool is_installed(Flavour flavour) {
  return find_program(program_name(Family::ipv4, flavour, "restore")).has_value();
}

} // namespace

std::string_view name_of(Flavour flavour) noexcept {
  return flavour == Flavour::legacy ? "legacy" : "nft";
}

Result<> visit(std::string_view saved, const Visitor &visitor) {
  Reader reader(visitor);
  while (!saved.empty()) {
    const auto end = std::min(saved.find('\n'), saved.size());
    SLUICE_TRY(reader.line(saved.substr(0, end)), "iptables-save");
    saved.remove_prefix(std::min(end + 1, saved.size()));
  }
  return {};
}

Result<std::unique_ptr<Tool>> open_tool(const ToolOptions &options) {
  SLUICE_ASSIGN(auto save, find_program(program_name(options.family, options.flavour, "save")),
                "open iptables");
  SLUICE_ASSIGN(auto restore,
                find_program(program_name(options.family, options.flavour, "restore")),
                "open iptables");
  return std::unique_ptr<Tool>(
      std::make_unique<ProgramTool>(options, std::move(save), std::move(restore)));
}

Flavour choose_flavour(std::string_view legacy_saved, std::string_view nft_saved) {
  if (has_kubelet_hint(nft_saved))
    return Flavour::nft;
  if (has_kubelet_hint(legacy_saved))
    return Flavour::legacy;
  return count_rules(legacy_saved) > count_rules(nft_saved) ? Flavour::legacy : Flavour::nft;
}

Result<Flavour> flavour_in_use(std::optional<int> netns_fd) {
  const bool legacy = is_installed(Flavour::legacy), nft = is_installed(Flavour::nft);
  if (!legacy && !nft)
    return fail(Errc::unsupported, "there is neither iptables-legacy-restore nor "
                                   "iptables-nft-restore: install the package \"iptables\"");
  if (legacy != nft)
    return legacy ? Flavour::legacy : Flavour::nft;
  return choose_flavour(saved_of(Flavour::legacy, netns_fd), saved_of(Flavour::nft, netns_fd));
}

} // namespace sluice::kernel::iptables
