// The environment: one variable a line, in this order: CNI_ARGS, CNI_CONTAINERID, CNI_IFNAME,
// CNI_NETNS, CNI_PATH, CNI_COMMAND. A line that is missing is a variable that is not set.
#include "cni/bridge_config.hpp"
#include "cni/policy_agent.hpp"
#include "cni/protocol/fuzz/require.hpp"
#include "cni/protocol/plugin.hpp"
#include "ipam/config.hpp"

namespace sluice::cni {
namespace {

constexpr std::string_view kConfig =
    R"({"cniVersion":"1.1.0","name":"net","type":"sluice","ipam":{"type":"sluice-ipam","ranges":)"
    R"([[{"subnet":"10.77.0.0/24"}],[{"subnet":"fd77::/64"}]]}})";

/// Reads what plugins read of the environment, and does nothing.
class Reader final : public Plugin {
public:
  std::string_view name() const override { return "reader"; }
  Outcome<AddResult> add(const Request &request) const override {
    (void)read(request);
    return AddResult{};
  }
  Outcome<> del(const Request &request) const override { return read(request); }
  Outcome<> check(const Request &request) const override { return read(request); }
  Outcome<> status(const Request &request) const override { return read(request); }
  Outcome<> gc(const Request &request) const override { return read(request); }

private:
  static Outcome<> read(const Request &request) {
    const auto &environment = request.environment;
    const auto command = environment.command;
    if (command == Command::add || command == Command::del || command == Command::check)
      require(is_valid_id(environment.attachment.container_id), "a container id is valid");
    const auto args = parse_args(environment.args);
    (void)worked(parse_bridge_config(request.config, environment.args));
    if (const auto ipam = ipam::parse_ipam_config(request.config, environment.args); worked(ipam))
      require(args.has_value() || environment.args.empty(),
              "IPAM takes no arguments that do not read");
    for (const auto &line : {pod_added_line(request, {}), pod_removed_line(request)}) {
      require(line.find('\n') == std::string::npos, "a message is one line", line);
      require(JsonDocument::parse(line).has_value(), "a message is JSON", line);
    }
    return {};
  }
};

Variables variables_in(std::string_view text) {
  Variables variables;
  for (const auto *name :
       {"CNI_ARGS", "CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS", "CNI_PATH", "CNI_COMMAND"}) {
    const auto end = text.find('\n');
    variables.emplace(name, text.substr(0, end));
    if (end == std::string_view::npos)
      break;
    text.remove_prefix(end + 1);
  }
  return variables;
}

} // namespace
} // namespace sluice::cni

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t size) {
  using namespace sluice::cni;
  auto variables = variables_in(text_of(data, size));
  (void)worked(parse_args(variables.at("CNI_ARGS")));
  if (variables.count("CNI_COMMAND") == 0)
    variables["CNI_COMMAND"] = "ADD";
  const auto said =
      answer(Reader(), variables, [] { return Outcome<std::string>(std::string(kConfig)); });
  require(said.out.empty() || JsonDocument::parse(said.out).has_value(),
          "one JSON document or nothing", said.out);
  require(said.exit_status == 0 || !said.out.empty(), "a failure has its error");
  return 0;
}
