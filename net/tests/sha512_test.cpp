#include "net/sha512.hpp"

#include <gtest/gtest.h>
#include <set>

namespace sluice {
namespace {

TEST(net_sha512, gives_the_digests_of_nist_s_examples) {
  const std::pair<std::string, const char *> cases[] = {
      {"", "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
           "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"},
      {"abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
              "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
      {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
       "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
       "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
       "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909"},
      {std::string(1000000, 'a'),
       "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
       "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b"}};
  for (const auto &[bytes, digest] : cases)
    EXPECT_EQ(sha512_hex(bytes), digest) << bytes.size() << " bytes";
}

TEST(net_sha512, lengths_around_the_end_of_a_block_are_told_apart) {
  std::set<std::string> digests;
  for (std::size_t length = 100; length < 140; ++length)
    digests.insert(sha512_hex(std::string(length, 'x')));
  EXPECT_EQ(digests.size(), 40U);
  // printf 'x%.0s' {1..112} | sha512sum: the length does not fit into the first block any more.
  EXPECT_EQ(sha512_hex(std::string(112, 'x')).substr(0, 24), "a3722b515ef40c910f2419f6");
}

} // namespace
} // namespace sluice
