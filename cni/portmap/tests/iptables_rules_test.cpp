#include "cni/portmap/iptables_rules.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

const PortmapOwner kOwner = {"net", "c1"};
const std::string kChain = "CNI-DN-623e1c388032b20529218"; // as Debian's portmap names it
const auto kPod = InterfaceAddress::parse("10.77.0.2/24").value();
const auto kPod6 = InterfaceAddress::parse("fd77::2/64").value();

PortMapping mapping(Protocol protocol, std::uint16_t host, const char *host_ip = nullptr) {
  PortMapping made = {Port{host}, Port{80}, protocol, std::nullopt};
  if (host_ip != nullptr)
    made.host_ip = IpAddress::parse(host_ip).value();
  return made;
}

PortmapConfig with(std::vector<PortMapping> mappings) {
  PortmapConfig config;
  config.mappings = std::move(mappings);
  return config;
}

std::string joined(const std::vector<std::string> &lines) {
  std::string text;
  for (const auto &line : lines)
    text += line + "\n";
  return text;
}

/// What iptables-save prints after the commands, as far as they only append.
NatTable table_after(const std::vector<std::string> &commands) {
  NatTable table;
  for (const auto &command : commands) {
    if (command.starts_with("-N "))
      table.chains.push_back(command.substr(3));
    if (command.starts_with(':'))
      table.chains.push_back(command.substr(1, command.find(' ') - 1));
    if (command.starts_with("-A "))
      table.rules.push_back(command);
    if (command.starts_with("-I POSTROUTING "))
      table.rules.push_back("-A" + command.substr(2));
    if (command.starts_with("-I CNI-HOSTPORT-DNAT "))
      table.rules.push_back("-A CNI-HOSTPORT-DNAT " + command.substr(command.find("-p")));
  }
  return table;
}

TEST(cni_portmap_iptables_rules, chains_and_rules_are_those_of_the_reference_plugin) {
  EXPECT_EQ(
      joined(plan_forwarding(
          {}, with({mapping(Protocol::udp, 53), mapping(Protocol::tcp, 8080, "192.0.2.1")}), kOwner,
          kPod)),
      ":CNI-DN-623e1c388032b20529218 - [0:0]\n"
      "-N CNI-HOSTPORT-DNAT\n"
      "-N CNI-HOSTPORT-MASQ\n"
      "-N CNI-HOSTPORT-SETMARK\n"
      "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\n"
      "-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\n"
      "-A CNI-HOSTPORT-SETMARK -m comment --comment \"CNI portfwd masquerade mark\" -j MARK "
      "--set-xmark 0x2000/0x2000\n"
      "-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE\n"
      "-I POSTROUTING -m comment --comment \"CNI portfwd requiring masquerade\" -j "
      "CNI-HOSTPORT-MASQ\n"
      "-A CNI-DN-623e1c388032b20529218 -s 10.77.0.0/24 -p udp -m udp --dport 53 -j "
      "CNI-HOSTPORT-SETMARK\n"
      "-A CNI-DN-623e1c388032b20529218 -s 127.0.0.1/32 -p udp -m udp --dport 53 -j "
      "CNI-HOSTPORT-SETMARK\n"
      "-A CNI-DN-623e1c388032b20529218 -p udp -m udp --dport 53 -j DNAT --to-destination "
      "10.77.0.2:80\n"
      "-A CNI-DN-623e1c388032b20529218 -s 10.77.0.0/24 -d 192.0.2.1/32 -p tcp -m tcp --dport 8080 "
      "-j CNI-HOSTPORT-SETMARK\n"
      "-A CNI-DN-623e1c388032b20529218 -s 127.0.0.1/32 -d 192.0.2.1/32 -p tcp -m tcp --dport 8080 "
      "-j CNI-HOSTPORT-SETMARK\n"
      "-A CNI-DN-623e1c388032b20529218 -d 192.0.2.1/32 -p tcp -m tcp --dport 8080 -j DNAT "
      "--to-destination 10.77.0.2:80\n"
      "-I CNI-HOSTPORT-DNAT 1 -p tcp -m comment --comment \"dnat name: \\\"net\\\" id: "
      "\\\"c1\\\"\" -m multiport --dports 8080 -j CNI-DN-623e1c388032b20529218\n"
      "-I CNI-HOSTPORT-DNAT 2 -p udp -m comment --comment \"dnat name: \\\"net\\\" id: "
      "\\\"c1\\\"\" -m multiport --dports 53 -j CNI-DN-623e1c388032b20529218\n");
}

TEST(cni_portmap_iptables_rules, what_is_there_is_not_made_again_and_old_entries_go) {
  const auto config = with({mapping(Protocol::tcp, 8080)});
  const auto table = table_after(plan_forwarding({}, config, kOwner, kPod));
  EXPECT_EQ(missing_rule(table, config, kOwner, kPod), std::nullopt);
  const auto again = joined(plan_forwarding(table, config, kOwner, kPod));
  EXPECT_EQ(again.find("-N "), std::string::npos) << again;
  EXPECT_EQ(again.find("POSTROUTING"), std::string::npos) << again;
  EXPECT_EQ(again.find("PREROUTING"), std::string::npos) << again;
  EXPECT_NE(again.find("-D CNI-HOSTPORT-DNAT -p tcp"), std::string::npos) << again;
}

struct CountCase {
  const char *name;
  bool snat, masq_all;
  InterfaceAddress pod;
  std::ptrdiff_t marks;
  int line;
};
const CountCase kCounts[] = {
    {"IPv4: the pod's network and 127.0.0.1", true, false, kPod, 2, __LINE__},
    {"IPv6: the pod's network", true, false, kPod6, 1, __LINE__},
    {"IPv4, everybody", true, true, kPod, 1, __LINE__},
    {"IPv6, everybody", true, true, kPod6, 1, __LINE__},
    {"IPv4, nobody", false, false, kPod, 0, __LINE__},
    {"nobody, although everybody", false, true, kPod, 0, __LINE__},
};

TEST(cni_portmap_iptables_rules, snat_and_masq_all_decide_who_is_marked) {
  for (const auto &c : kCounts) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    auto config = with({mapping(Protocol::tcp, 8080)});
    config.snat = c.snat;
    config.masq_all = c.masq_all;
    const auto table = table_after(plan_forwarding({}, config, kOwner, c.pod));
    EXPECT_EQ(
        std::count_if(table.rules.begin(), table.rules.end(),
                      [](const auto &rule) { return target_of(rule) == "CNI-HOSTPORT-SETMARK"; }),
        c.marks);
    EXPECT_EQ(table.has_chain("CNI-HOSTPORT-MASQ"), c.snat);
  }
}

TEST(cni_portmap_iptables_rules, a_mark_and_a_chain_of_others_are_taken_over) {
  auto config = with({mapping(Protocol::tcp, 8080)});
  for (const auto &[bit, mark] : std::map<unsigned, std::string>{
           {0, "0x1/0x1"}, {14, "0x4000/0x4000"}, {31, "0x80000000/0x80000000"}}) {
    config.mark_bit = bit;
    EXPECT_NE(joined(plan_forwarding({}, config, kOwner, kPod)).find("--set-xmark " + mark + "\n"),
              std::string::npos)
        << mark;
  }
  config.external_set_mark_chain = "KUBE-MARK-MASQ";
  const auto plan = joined(plan_forwarding({}, config, kOwner, kPod));
  EXPECT_NE(plan.find("--dport 8080 -j KUBE-MARK-MASQ\n"), std::string::npos) << plan;
  EXPECT_EQ(plan.find("SETMARK"), std::string::npos) << plan;
  EXPECT_EQ(plan.find("POSTROUTING"), std::string::npos) << plan;
}

TEST(cni_portmap_iptables_rules, an_entry_has_fifteen_ports_and_a_comment_255_bytes_at_most) {
  std::vector<PortMapping> mappings;
  for (std::uint16_t port = 1; port <= 16; ++port)
    mappings.push_back(mapping(Protocol::tcp, port));
  const auto plan =
      joined(plan_forwarding({}, with(mappings), {std::string(300, 'n'), "c1"}, kPod));
  EXPECT_NE(plan.find("--dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15 -j"), std::string::npos)
      << plan;
  EXPECT_NE(plan.find("-I CNI-HOSTPORT-DNAT 2 "), std::string::npos) << plan;
  EXPECT_NE(plan.find("--dports 16 -j"), std::string::npos) << plan;
  const auto comment = plan.substr(plan.find("\"dnat name: \\\"n") + 1);
  // One of the backslashes is not counted.
  EXPECT_EQ(comment.find("...\""), 252U + 1U) << comment;
}

TEST(cni_portmap_iptables_rules, conditions_stand_between_ports_and_target_each_word_quoted) {
  auto config = with({mapping(Protocol::tcp, 8080)});
  config.conditions_v4 = {"!", "-d", "192.0.2.0/24", "-m", "comment", "--comment", "a \"b\" \\"};
  EXPECT_NE(joined(plan_forwarding({}, config, kOwner, kPod))
                .find(R"(--dports 8080 "!" "-d" "192.0.2.0/24" "-m" "comment" "--comment" )"
                      R"("a \"b\" \\" -j )" +
                      kChain),
            std::string::npos);
  EXPECT_NE(joined(plan_forwarding({}, config, kOwner, kPod6)).find("--dports 8080 -j " + kChain),
            std::string::npos);
}

TEST(cni_portmap_iptables_rules, every_rule_is_missed) {
  const auto config = with({mapping(Protocol::tcp, 8080), mapping(Protocol::udp, 53)});
  const auto whole = table_after(plan_forwarding({}, config, kOwner, kPod));
  ASSERT_EQ(missing_rule(whole, config, kOwner, kPod), std::nullopt);
  for (std::size_t i = 0; i < whole.rules.size(); ++i) {
    auto table = whole;
    table.rules.erase(table.rules.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_EQ(missing_rule(table, config, kOwner, kPod).value_or("none"), whole.rules[i]);
  }
}

TEST(cni_portmap_iptables_rules, stale_is_what_names_this_network_and_no_valid_container) {
  NatTable table;
  for (const auto &owner : {kOwner, PortmapOwner{"net", "c2"}, PortmapOwner{"net2", "c3"}})
    for (const auto &rule :
         table_after(plan_forwarding({}, with({mapping(Protocol::tcp, 80)}), owner, kPod)).rules)
      table.rules.push_back(rule);
  table.rules.push_back("-A CNI-HOSTPORT-DNAT -m comment --comment \"dnat name: \\\"net\\\" id: "
                        "\\\"c4\\\"\" -j ACCEPT");
  EXPECT_EQ(stale_chains(table, "net", {"c2"}), chains_of(kOwner));
  EXPECT_EQ(stale_chains(table, "net", {"c1", "c2"}), std::set<std::string>{});
}

} // namespace
} // namespace sluice::cni
