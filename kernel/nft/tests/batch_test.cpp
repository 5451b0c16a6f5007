#include "kernel/nft/batch.hpp"

#include <chrono>

namespace sluice::kernel::nft {
namespace {

const TableId kTable{TableFamily::ipv4, "t"};

TEST(kernel_nft_batch, prints_one_line_for_each_object) {
  Batch batch(kTable);
  batch.add_table("layout 1")
      .add(Chain{.name = "pre",
                 .base = BaseChain{ChainType::nat, Hook::prerouting, kPriorityDstnat}})
      .add(Chain{.name = "pick"})
      .add(Set{.name = "m",
               .key = {Type::ipv4_addr, Type::inet_proto, Type::inet_service},
               .data = {Type::mark},
               .size = 8})
      .add(Set{.name = "v", .key = {Type::mark}, .verdicts = true})
      .add(Set{.name = "s",
               .key = {Type::ipv4_addr},
               .dynamic = true,
               .timeouts = true,
               .default_timeout = std::chrono::seconds(3)})
      .add("m",
           Element{.key =
                       Value().put(*IpAddress::parse("10.0.0.1")).put(Protocol::tcp).put(Port(80)),
                   .data = Value().put_u32(0x01020304)})
      .add("v", Element{.key = Value().put_u32(1), .verdict = Verdict{VerdictCode::go_to, "pick"}})
      .replace(
          "m",
          Element{.key =
                      Value().put(*IpAddress::parse("10.0.0.1")).put(Protocol::udp).put(Port(53)),
                  .data = Value().put_u32(1)})
      .flush_chain("pre")
      .flush_set("s")
      .remove_chain("pick")
      .remove_set("s")
      .remove(RuleHandle{.chain = "pre", .handle = 7})
      .remove_table();
  EXPECT_EQ(batch.str(),
            "add table ip t comment \"layout 1\"\n"
            "add chain ip t pre { type nat hook prerouting priority -100; policy accept; }\n"
            "add chain ip t pick\n"
            "add map ip t m { type ipv4_addr . inet_proto . inet_service : mark; size 8; }\n"
            "add map ip t v { type mark : verdict; }\n"
            "add set ip t s { type ipv4_addr; flags timeout,dynamic; timeout 3000ms; }\n"
            "add element ip t m { 0a000001 06000000 00500000 : 04030201 }\n"
            "add element ip t v { 01000000 : goto pick }\n"
            "delete element ip t m { 0a000001 11000000 00350000 }\n"
            "add element ip t m { 0a000001 11000000 00350000 : 01000000 }\n"
            "flush chain ip t pre\n"
            "flush set ip t s\n"
            "delete chain ip t pick\n"
            "delete set ip t s\n"
            "delete rule ip t pre handle 7\n"
            "delete table ip t\n");
  EXPECT_EQ(batch.size(), 16U);
}

TEST(kernel_nft_batch, counts_elements_and_puts_neighbours_into_one_op) {
  Batch batch(kTable);
  for (std::uint32_t i = 0; i < 1000; ++i)
    batch.add("m", Element{.key = Value().put_u32(i)});
  batch.add("n", Element{.key = Value().put_u32(1)});
  batch.remove("n", Value().put_u32(2));
  EXPECT_EQ(batch.size(), 1002U);
  EXPECT_EQ(batch.ops().size(), 3U);
  EXPECT_GT(batch.bytes_estimate(), 1000U * 40);
}

TEST(kernel_nft_batch, prints_rules_as_nft_debug_netlink_does) {
  struct Case {
    const char *name;
    TableFamily family;
    Exprs exprs;
    const char *text;
    int line;
  };
  const Case cases[] = {
      {"a network", TableFamily::ipv4, source_in(*Cidr::parse("10.244.0.0/24")),
       "[ payload load 4b @ network header + 12 => reg 1 ] "
       "[ bitwise reg 1 = ( reg 1 & 0x00ffffff ) ^ 0x00000000 ] [ cmp eq reg 1 0x0000f40a ]",
       __LINE__},
      {"an address needs no mask", TableFamily::ipv4,
       destination_in(*Cidr::parse("10.0.0.1/32"), true),
       "[ payload load 4b @ network header + 16 => reg 1 ] [ cmp neq reg 1 0x0100000a ]", __LINE__},
      {"one of our bits and nobody else's", TableFamily::ipv4, set_mark_bits(0x4000),
       "[ meta load mark => reg 1 ] [ bitwise reg 1 = ( reg 1 & 0xffffbfff ) ^ 0x00004000 ] "
       "[ meta set mark with reg 1 ]",
       __LINE__},
      {"a lookup into two registers",
       TableFamily::ipv4,
       {Meta{MetaKey::l4proto, 1}, Lookup{.set = "m", .sreg = 1, .dreg = 4}},
       "[ meta load l4proto => reg 9 ] [ lookup reg 9 set m dreg 2 0x0 ]",
       __LINE__},
      {"new connections", TableFamily::inet, join({ct_state(kCtNew), jump("c")}),
       "[ ct load state => reg 1 ] [ bitwise reg 1 = ( reg 1 & 0x00000008 ) ^ 0x00000000 ] "
       "[ cmp neq reg 1 0x00000000 ] [ immediate reg 0 jump -> c ]",
       __LINE__},
      {"a prefix of interface names", TableFamily::inet, input_interface("veth*"),
       "[ meta load iifname => reg 1 ] [ cmp eq reg 1 0x68746576 ]", __LINE__},
      {"a reject in a table of one family",
       TableFamily::ipv4,
       {Reject{.family = TableFamily::ipv4}},
       "[ reject type 0 code 3 ]",
       __LINE__},
      {"a reject in a table of both",
       TableFamily::inet,
       {Reject{.family = TableFamily::inet}},
       "[ reject type 2 code 1 ]",
       __LINE__},
      {"masquerade", TableFamily::ipv4, {Masquerade{}}, "[ masq flags 0x10 ]", __LINE__},
      {"a translation from registers",
       TableFamily::ipv4,
       {Nat{.family = Family::ipv4, .address = Reg(0), .port = Reg(1)}},
       "[ nat dnat ip addr_min reg 1 addr_max reg 1 proto_min reg 9 proto_max reg 9 flags 0x3 ]",
       __LINE__},
      {"a counter without its count", TableFamily::ipv4, {Counter{}}, "[ counter ]", __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    EXPECT_EQ(text_of(c.family, Rule{.chain = "c", .exprs = c.exprs}), c.text);
  }
}

TEST(kernel_nft_batch, a_value_pads_its_fields_to_words) {
  const auto v6 = Value().put(*IpAddress::parse("2001:db8::1")).put(Protocol::sctp).put(Port(1));
  EXPECT_EQ(v6.str(), "20010db8 00000000 00000000 00000001 84000000 00010000");
  EXPECT_EQ(v6.size(), 24U);
  EXPECT_EQ(v6.be16_at(20), 1U);
  EXPECT_EQ(field(Port(0x1234)).str(), "1234");
  EXPECT_EQ(field_name("cni*").size(), 3U);
  EXPECT_EQ(field_name("cni").size(), 16U);
  const auto whole = interval_of(*Cidr::parse("255.255.255.0/24"));
  EXPECT_EQ(whole.size(), 1U) << "a range to the end of the address space has no end element";
}

} // namespace
} // namespace sluice::kernel::nft
