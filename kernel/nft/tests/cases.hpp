#pragma once
// Batches with the answer that the kernel gives to them. The unit tests hold the fake to it, the
// kernel tests the kernel.

#include "kernel/nft/nft.hpp"

namespace sluice::kernel::nft::tests {

inline const TableId kTable{TableFamily::ipv4, "slc-cases"};
inline const TableId kTable6{TableFamily::ipv6, "slc-cases"};
inline const TableId kTableInet{TableFamily::inet, "slc-cases"};

inline Value key(std::uint32_t number) { return Value().put_u32(number); }
inline Element number(std::uint32_t k, std::uint32_t data) {
  return {.key = key(k), .data = key(data)};
}
inline Element verdict(std::uint32_t k, std::string chain) {
  return {.key = key(k), .verdict = Verdict{VerdictCode::go_to, std::move(chain)}};
}

/// What every case starts from: a map of numbers, a verdict map, a small set, two chains that use
/// them.
inline Batch common_ground() {
  Batch batch(kTable);
  batch.create_table("common ground")
      .add(Set{.name = "numbers", .key = {Type::mark}, .data = {Type::mark}, .size = 100})
      .add(Set{.name = "verdicts", .key = {Type::mark}, .verdicts = true, .size = 100})
      .add(Set{.name = "small", .key = {Type::mark}, .size = 2})
      .add(Set{.name = "unused", .key = {Type::mark}})
      .add(Chain{.name = "hooked", .base = BaseChain{ChainType::filter, Hook::input, 0}})
      .add(Chain{.name = "target"})
      .add(Chain{.name = "idle"})
      .add(Rule{.chain = "hooked",
                .exprs = {Meta{MetaKey::mark, 0}, Lookup{.set = "numbers", .sreg = 0, .dreg = 1},
                          Lookup{.set = "verdicts", .sreg = 1, .to_verdict = true}}})
      .add("numbers", number(1, 10))
      .add("verdicts", verdict(10, "target"));
  return batch;
}

struct Case {
  const char *name;
  Batch batch;
  std::optional<Errc> error; ///< nothing: accepted
  const char *named = "";    ///< what the error must quote
};

inline std::vector<Case> cases() {
  const auto b = [] { return Batch(kTable); };
  const Rule broken{.chain = "target",
                    .exprs = {Meta{MetaKey::mark, 0}, Lookup{.set = "nowhere", .sreg = 0}}};
  std::vector<Case> all = {
      {"adding a table that is there is nothing", b().add_table(), {}},
      {"creating a table that is there", b().create_table(), Errc::already_exists,
       "create table ip slc-cases"},
      {"destroying a table with everything in it", b().destroy_table(), {}},
      {"removing a table twice", b().remove_table().remove_table(), Errc::not_found,
       "delete table ip slc-cases"},
      {"adding a chain that is there is nothing", b().add(Chain{.name = "target"}), {}},
      {"creating a chain that is there", b().create(Chain{.name = "target"}), Errc::already_exists,
       "create chain ip slc-cases target"},
      {"removing a chain that is not there", b().remove_chain("none"), Errc::not_found,
       "delete chain ip slc-cases none"},
      {"removing a chain that an element goes to", b().remove_chain("target"), Errc::busy,
       "delete chain ip slc-cases target"},
      {"removing a chain that nothing goes to", b().remove_chain("idle"), {}},
      {"removing a base chain with its rules", b().remove_chain("hooked"), {}},
      {"removing a set that a rule uses", b().remove_set("numbers"), Errc::busy,
       "delete set ip slc-cases numbers"},
      {"removing a set after the rules that use it",
       b().flush_chain("hooked").remove_set("numbers"),
       {}},
      {"removing a set that is not there", b().remove_set("none"), Errc::not_found,
       "delete set ip slc-cases none"},
      {"creating a set that is there", b().create(Set{.name = "unused", .key = {Type::mark}}),
       Errc::already_exists, "create set ip slc-cases unused"},
      {"a rule on a set that is not there", b().add(broken), Errc::not_found,
       "add rule ip slc-cases target [ meta load mark => reg 1 ] [ lookup reg 1 set nowhere"},
      {"a rule in a chain that is not there", b().add(Rule{.chain = "none", .exprs = accept()}),
       Errc::not_found, "add rule ip slc-cases none"},
      {"a jump to a chain that is not there",
       b().add(Rule{.chain = "target", .exprs = jump("none")}), Errc::not_found, "jump -> none"},
      {"an element of a set that is not there", b().add("none", number(1, 1)), Errc::not_found,
       "none"},
      {"the same element again is nothing", b().add("numbers", number(1, 10)), {}},
      {"an element with other data", b().add("numbers", number(1, 11)), Errc::already_exists,
       "add element ip slc-cases numbers { 01000000 : 0b000000 }"},
      {"creating an element that is there", b().create("numbers", number(1, 10)),
       Errc::already_exists, "create element ip slc-cases numbers"},
      {"removing an element that is not there", b().remove("numbers", key(2)), Errc::not_found,
       "delete element ip slc-cases numbers { 02000000 }"},
      {"replacing an element", b().replace("numbers", number(1, 11)), {}},
      {"the second of three elements is named",
       b().add("numbers", number(5, 1)).add("numbers", number(1, 9)).add("numbers", number(6, 1)),
       Errc::already_exists, "add element ip slc-cases numbers { 01000000 : 09000000 }"},
      {"an element with a goto nowhere", b().add("verdicts", verdict(1, "none")), Errc::not_found,
       "goto none"},
      {"a key of the wrong length",
       b().add("numbers", Element{.key = Value().put_u32(1).put_u32(2), .data = key(1)}),
       Errc::invalid_input, "numbers"},
      {"more elements than the set holds",
       b().add("small", {.key = key(1)})
           .add("small", {.key = key(2)})
           .add("small", {.key = key(3)}),
       Errc::exhausted, "add element ip slc-cases small { 03000000 }"},
      {"a good change and then a bad one changes nothing",
       b().add("numbers", number(7, 7)).add(broken), Errc::not_found, "nowhere"},
      {"flushing a set", b().flush_set("numbers"), {}},
      {"flushing a set that is not there", b().flush_set("none"), Errc::not_found, "none"},
      {"flushing a chain that is not there", b().flush_chain("none"), Errc::not_found, "none"},
      {"flushing all chains", b().flush_table(), {}},
  };
  return all;
}

/// Everything there is to see of a table, as text.
inline Result<std::string> snapshot(Nft &nft, const TableId &table) {
  std::string text;
  SLUICE_ASSIGN(const auto found, nft.read_table(table), "snapshot");
  text += found ? "table comment " + found->comment + "\n" : "no table\n";
  SLUICE_ASSIGN(auto chains, nft.read_chains(table), "snapshot");
  std::vector<std::string> lines;
  for (const auto &chain : chains)
    lines.push_back("chain " + chain.name + (chain.base ? " based" : ""));
  SLUICE_ASSIGN(const auto rules, nft.read_rules(table), "snapshot");
  for (const auto &rule : rules)
    lines.push_back("rule " + rule.chain + " " + rule.text + " " + rule.comment);
  SLUICE_ASSIGN(const auto sets, nft.read_sets(table), "snapshot");
  for (const auto &set : sets) {
    lines.push_back("set " + set.name + " flags " + std::to_string(set.flags) + " key " +
                    std::to_string(set.key_bytes) + " data " + std::to_string(set.data_bytes) +
                    (set.verdicts ? " verdicts" : "") + " size " + std::to_string(set.size));
    SLUICE_ASSIGN(const auto elements, nft.elements(table, set.name), "snapshot");
    for (const auto &element : elements)
      lines.push_back("element " + set.name + " " + element.key.str() + " : " + element.data.str() +
                      (element.verdict ? element.verdict->str() : ""));
  }
  std::sort(lines.begin(), lines.end());
  for (const auto &line : lines)
    text += line + "\n";
  return text;
}

} // namespace sluice::kernel::nft::tests
