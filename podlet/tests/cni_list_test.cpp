#include "podlet/cni_list.hpp"

#include "kernel/files.hpp"

#include <cstdlib>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace sluice;
using namespace sluice::podlet;
using nlohmann::json;

namespace {

/// A folder of stub plugins. Each writes its command, name and input to calls.log and answers ADD
/// with its name as an extra member of the previous result.
class podlet_cni_list : public testing::Test {
protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "slc-cni-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { EXPECT_TRUE(kernel::remove_tree(folder_)); }

  void add_plugin(const std::string &name, const std::string &body) {
    const auto script = "#!/bin/sh\ninput=$(cat)\necho \"$CNI_COMMAND " + name +
                        " $CNI_ARGS\" >> " + folder_ + "/calls.log\nprintf '%s' \"$input\" > " +
                        folder_ + "/" + name + ".$CNI_COMMAND.json\n" + body + "\n";
    ASSERT_TRUE(kernel::write_file(folder_ + "/" + name, script, 0755));
  }
  json input_of(const std::string &plugin, const std::string &command) {
    return json::parse(
        kernel::read_file(folder_ + "/" + plugin + "." + command + ".json").value_or("null"));
  }
  std::vector<std::string> calls() {
    std::vector<std::string> lines;
    std::string text = kernel::read_file(folder_ + "/calls.log").value_or("");
    for (std::size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
      const auto second_blank = text.find(' ', text.find(' ') + 1);
      lines.push_back(text.substr(0, second_blank));
    }
    return lines;
  }
  NetworkList list() {
    return *parse_network_list(R"({"cniVersion": "1.0.0", "name": "net", "plugins": [
        {"type": "first", "mtu": 1400, "capabilities": {"portMappings": true}},
        {"type": "second"}]})");
  }

  std::string folder_;
  Attachment pod_{"abc123", "/run/netns/x", "eth0", "default", "web-1", "uid-1"};
};

constexpr const char *kResult =
    R"(echo '{"cniVersion": "1.0.0", "ips": [{"address": "10.244.1.5/24"}, {"address": "fd00::5/64"}]}')";

} // namespace

TEST_F(podlet_cni_list, add_runs_the_plugins_in_order_each_with_the_result_before) {
  add_plugin("first", kResult);
  add_plugin("second", R"(echo '{"cniVersion": "1.0.0", "ips": [{"address": "10.244.1.6/24"}]}')");
  const auto result = CniRunner({folder_}).add(list(), pod_);
  ASSERT_TRUE(result) << result.error().what();
  EXPECT_EQ(addresses_in(*result), std::vector{*IpAddress::parse("10.244.1.6")});
  EXPECT_EQ(calls(), (std::vector<std::string>{"ADD first", "ADD second"}));
  const auto first = input_of("first", "ADD");
  EXPECT_EQ(first["name"], "net");
  EXPECT_EQ(first["cniVersion"], "1.0.0");
  EXPECT_EQ(first["mtu"], 1400);
  EXPECT_FALSE(first.contains("prevResult"));
  EXPECT_FALSE(first.contains("capabilities")) << "the runtime's part is not for the plugin";
  EXPECT_EQ(input_of("second", "ADD")["prevResult"]["ips"][1]["address"], "fd00::5/64");
}

TEST_F(podlet_cni_list, a_failed_add_is_undone_in_reverse_and_quotes_the_plugin) {
  add_plugin("first", kResult);
  add_plugin("second", R"([ "$CNI_COMMAND" = ADD ] || exit 0
echo '{"code": 11, "msg": "no addresses left", "details": "10.244.1.0/24"}'; exit 1)");
  const auto result = CniRunner({folder_}).add(list(), pod_);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().what().find("no addresses left: 10.244.1.0/24 (code 11)"),
            std::string::npos)
      << result.error().what();
  EXPECT_EQ(calls(),
            (std::vector<std::string>{"ADD first", "ADD second", "DEL second", "DEL first"}));
}

TEST_F(podlet_cni_list, del_goes_on_after_an_error_and_hands_the_result_over) {
  add_plugin("first", "");
  add_plugin("second", "exit 3");
  const auto removed = CniRunner({folder_}).remove(list(), pod_, R"({"ips": []})");
  ASSERT_FALSE(removed);
  EXPECT_NE(removed.error().what().find("second"), std::string::npos) << removed.error().what();
  EXPECT_EQ(calls(), (std::vector<std::string>{"DEL second", "DEL first"}));
  EXPECT_TRUE(input_of("first", "DEL").contains("prevResult"));
}

TEST_F(podlet_cni_list, check_is_not_run_where_the_list_or_its_version_has_none) {
  add_plugin("first", "");
  add_plugin("second", "");
  auto without = list();
  without.disable_check = true;
  EXPECT_TRUE(CniRunner({folder_}).check(without, pod_, "{}"));
  auto old = list();
  old.cni_version = "0.3.1";
  EXPECT_TRUE(CniRunner({folder_}).check(old, pod_, "{}"));
  EXPECT_TRUE(calls().empty());
  EXPECT_TRUE(CniRunner({folder_}).check(list(), pod_, "{}"));
  EXPECT_EQ(calls(), (std::vector<std::string>{"CHECK first", "CHECK second"}));
}

TEST_F(podlet_cni_list, a_missing_plugin_is_named_with_the_folders_searched) {
  const auto result = CniRunner({folder_, "/nowhere"}).add(list(), pod_);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().what().find("\"first\" is not in " + folder_ + " /nowhere"),
            std::string::npos)
      << result.error().what();
}

TEST_F(podlet_cni_list, the_first_configuration_by_name_is_taken) {
  const auto none = load_network_list(folder_);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Errc::not_found);
  ASSERT_TRUE(kernel::write_file(folder_ + "/00-readme.txt", "no configuration"));
  ASSERT_TRUE(kernel::write_file(folder_ + "/20-b.conf", R"({"name": "b", "type": "bridge"})"));
  EXPECT_EQ(load_network_list(folder_)->name, "b");
  ASSERT_TRUE(kernel::write_file(folder_ + "/10-a.conflist",
                                 R"({"name": "a", "plugins": [{"type": "sluice"}]})"));
  EXPECT_EQ(load_network_list(folder_)->name, "a");
  ASSERT_TRUE(kernel::write_file(folder_ + "/05-bad.conflist", "{"));
  const auto bad = load_network_list(folder_);
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().what().find("05-bad.conflist"), std::string::npos) << bad.error().what();
}

TEST(podlet_cni_config, what_is_no_configuration_is_refused) {
  for (const char *bad :
       {"", "[]", "{}", R"({"name": "a"})", R"({"name": "a", "plugins": []})",
        R"({"name": "a", "plugins": [{}]})", R"({"name": "a", "plugins": 3})", R"({"type": "x"})"})
    EXPECT_FALSE(parse_network_list(bad)) << bad;
}

TEST(podlet_cni_config, a_list_survives_being_written_down) {
  const auto list = *parse_network_list(
      R"({"cniVersion": "1.0.0", "name": "a", "disableCheck": true, "plugins": [{"type": "x", "y": 1}]})");
  const auto back = parse_network_list(to_text(list));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->name, "a");
  EXPECT_TRUE(back->disable_check);
  ASSERT_EQ(back->plugins.size(), 1U);
  EXPECT_EQ(back->plugins[0].config, list.plugins[0].config);
}

TEST(podlet_cni_config, runtimes_send_five_arguments) {
  EXPECT_EQ(cni_args({"id", "/n", "eth0", "ns", "pod", "uid"}),
            "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=pod;"
            "K8S_POD_INFRA_CONTAINER_ID=id;K8S_POD_UID=uid");
}

TEST(podlet_cni_config, addresses_are_found_in_results_of_every_version) {
  const std::vector both{*IpAddress::parse("10.0.0.5"), *IpAddress::parse("fd00::5")};
  EXPECT_EQ(addresses_in(R"({"ips": [{"address": "10.0.0.5/24"}, {"address": "fd00::5/64"}]})"),
            both);
  EXPECT_EQ(addresses_in(R"({"ip4": {"ip": "10.0.0.5/24"}, "ip6": {"ip": "fd00::5/64"}})"), both);
  for (const char *none : {"", "[]", "{}", R"({"ips": 3})", R"({"ips": [{"address": "x"}]})"})
    EXPECT_TRUE(addresses_in(none).empty()) << none;
}
