#include "proxy/nftables/slots.hpp"
#include "proxy/nftables/tests/tables.hpp"

#include <random>

namespace sluice::proxy::nftables {
namespace {

using namespace tests;

std::string text_of(const Slots &slots) {
  std::string text = std::to_string(slots.count) + ":";
  for (const auto &endpoint : slots.endpoints)
    text += " " + std::to_string(endpoint.ip.v4() & 0xff);
  return text;
}

BackendSet of(std::initializer_list<std::uint32_t> numbers) {
  BackendSet set;
  for (const auto number : numbers)
    set.push_back({.address = {IpAddress::from_v4(0x0a000000 + number), Port(80)}});
  return set;
}

TEST(proxy_nftables_slots, endpoints_keep_their_slots_and_aliases_are_live) {
  struct Step {
    const char *name;
    std::initializer_list<std::uint32_t> backends;
    const char *slots;
  };
  const Step steps[] = {
      {"a new set", {1, 2, 3}, "3: 1 2 3"},
      {"one is replaced in its slot", {1, 3, 4}, "3: 1 4 3"},
      {"one more goes behind", {1, 3, 4, 5}, "4: 1 4 3 5"},
      {"one less: the last one fills the hole and stays where it was as an alias",
       {3, 4, 5},
       "3: 5 4 3 5"},
      {"the last one leaves: its slot becomes an alias of a live one", {4, 5}, "2: 5 4 4"},
      {"growth takes the alias's slot", {4, 5, 9}, "3: 5 4 9"},
      {"everything else", {20, 21}, "2: 20 21 20"},
      {"no change drops the alias", {20, 21}, "2: 20 21"},
      {"down to one", {21}, "1: 21 21"},
  };
  Slots slots;
  for (const auto &step : steps) {
    SCOPED_TRACE(step.name);
    slots = next_slots(slots, of(step.backends));
    EXPECT_EQ(text_of(slots), step.slots);
  }
}

TEST(proxy_nftables_slots, any_sequence_of_sets_is_placed_exactly_once_each) {
  std::mt19937 random(20261121);
  Slots slots;
  for (int round = 0; round < 2000; ++round) {
    std::set<std::uint32_t> numbers;
    const auto size = 1 + random() % 8;
    while (numbers.size() < size)
      numbers.insert(static_cast<std::uint32_t>(random() % 12));
    BackendSet wanted;
    std::multiset<SocketAddress> expected;
    for (const auto number : numbers) {
      wanted.push_back({.address = {IpAddress::from_v4(number), Port(1)}});
      expected.insert(wanted.back().address);
    }
    const auto before = slots;
    slots = next_slots(slots, wanted);
    ASSERT_EQ(std::multiset<SocketAddress>(slots.endpoints.begin(),
                                           slots.endpoints.begin() + slots.count),
              expected);
    ASSERT_GE(slots.endpoints.size(), before.count) << "a packet may have read the old count";
    for (const auto &endpoint : slots.endpoints)
      ASSERT_EQ(expected.count(endpoint), 1U) << "an alias of one that left";
  }
}

} // namespace
} // namespace sluice::proxy::nftables
