// Built twice: with our subset, and with libnl itself. What holds for one holds for the other.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <vector>

namespace {

struct Free {
  void operator()(nl_msg *message) const { nlmsg_free(message); }
};
using Message = std::unique_ptr<nl_msg, Free>;

Message make() { return Message(nlmsg_alloc_simple(7, 0x301)); }

std::vector<unsigned> bytes_of(const Message &message) {
  const auto *header = nlmsg_hdr(message.get());
  const auto *data = static_cast<const std::uint8_t *>(nlmsg_data(header));
  return {data, data + header->nlmsg_len - NLMSG_HDRLEN};
}

TEST(netlink_attributes, a_new_message_is_a_header) {
  const auto message = make();
  const auto *header = nlmsg_hdr(message.get());
  EXPECT_EQ(header->nlmsg_len, 16U);
  EXPECT_EQ(header->nlmsg_type, 7);
  EXPECT_EQ(header->nlmsg_flags, 0x301);
  EXPECT_EQ(header->nlmsg_seq, 0U);
  EXPECT_EQ(header->nlmsg_pid, 0U);
}

TEST(netlink_attributes, data_and_attributes_are_padded_with_zeros) {
  const auto message = make();
  std::array<std::uint8_t, 6> own = {1, 2, 3, 4, 5, 6};
  ASSERT_EQ(nlmsg_append(message.get(), own.data(), own.size(), NLMSG_ALIGNTO), 0);
  ASSERT_EQ(nla_put_u8(message.get(), 1, 0xff), 0);
  ASSERT_EQ(nla_put_u32(message.get(), 2, 0x04030201), 0);
  ASSERT_EQ(nla_put_string(message.get(), 3, "ab"), 0);
  ASSERT_EQ(nla_put(message.get(), 4, 0, nullptr), 0);
  EXPECT_EQ(bytes_of(message),
            (std::vector<unsigned>{1,      2, 3, 4, 5,      6,   0, 0, /**/ 5, 0, 1, 0,
                                   0xff,   0, 0, 0, /**/ 8, 0,   2, 0, 1,      2, 3, 4,
                                   /**/ 7, 0, 3, 0, 'a',    'b', 0, 0, /**/ 4, 0, 4, 0}));
}

TEST(netlink_attributes, a_nest_is_flagged_and_an_empty_one_left_out) {
  const auto message = make();
  auto *outer = nla_nest_start(message.get(), 1);
  auto *empty = nla_nest_start(message.get(), 2);
  EXPECT_EQ(nla_nest_end(message.get(), empty), 0);
  nla_put_u8(message.get(), 3, 9);
  EXPECT_EQ(nla_nest_end(message.get(), outer), 0);
  EXPECT_EQ(bytes_of(message), (std::vector<unsigned>{12, 0, 1, 0x80, 5, 0, 3, 0, 9, 0, 0, 0}));
}

TEST(netlink_attributes, a_full_message_takes_no_more_and_stays_whole) {
  const auto message = make();
  const std::vector<std::uint8_t> bytes(1000);
  int put = 0;
  while (put < 10 && nla_put(message.get(), 1, static_cast<int>(bytes.size()), bytes.data()) == 0)
    ++put;
  EXPECT_EQ(put, 4);
  EXPECT_EQ(nlmsg_hdr(message.get())->nlmsg_len, 16U + 4 * 1004);
  EXPECT_LT(nlmsg_append(message.get(), const_cast<std::uint8_t *>(bytes.data()), 100, 4), 0);
  EXPECT_EQ(nla_put_u32(message.get(), 1, 0), 0) << "there is room for this";
}

TEST(netlink_attributes, what_was_put_is_read) {
  const auto message = make();
  std::array<std::uint8_t, 4> own = {1, 2, 3, 4};
  nlmsg_append(message.get(), own.data(), own.size(), NLMSG_ALIGNTO);
  nla_put_u8(message.get(), 1, 200);
  nla_put_u32(message.get(), 2, 70'000);
  auto *nest = nla_nest_start(message.get(), 3);
  nla_put_string(message.get(), 1, "text");
  nla_nest_end(message.get(), nest);
  nla_put_u32(message.get(), 99, 1);
  nla_put_u8(message.get(), 1, 201);
  auto *header = nlmsg_hdr(message.get());
  std::array<nlattr *, 5> found{};
  ASSERT_EQ(nlmsg_parse(header, own.size(), found.data(), 4, nullptr), 0);
  EXPECT_EQ(nla_get_u8(found[1]), 201) << "the last one counts";
  EXPECT_EQ(nla_get_u32(found[2]), 70'000U);
  EXPECT_EQ(nla_get_u16(found[2]), 70'000 & 0xffff);
  EXPECT_EQ(nla_get_u64(found[2]), 0U) << "too short";
  EXPECT_EQ(nla_len(found[2]), 4);
  EXPECT_EQ(found[4], nullptr);
  std::uint16_t half = 0;
  EXPECT_EQ(nla_memcpy(&half, found[2], sizeof half), 2);
  EXPECT_EQ(half, 70'000 & 0xffff);
  std::array<nlattr *, 3> inside{};
  ASSERT_EQ(nla_parse_nested(inside.data(), 2, found[3], nullptr), 0);
  EXPECT_STREQ(nla_get_string(inside[1]), "text");
  auto *first = nlmsg_attrdata(header, own.size());
  EXPECT_EQ(nla_find(first, nlmsg_attrlen(header, own.size()), 99), found[1] - 2);
  EXPECT_EQ(nla_find(first, nlmsg_attrlen(header, own.size()), 98), nullptr);
}

TEST(netlink_attributes, wrong_lengths_end_the_reading) {
  struct Case {
    const char *name;
    std::vector<std::uint16_t> words; // length and type of two attributes with one number each
    bool first, second;
  };
  const Case cases[] = {{"right", {8, 1, 0, 0, 8, 2, 0, 0}, true, true},
                        {"shorter than a header", {3, 1, 0, 0, 8, 2, 0, 0}, false, false},
                        {"no length", {0, 1, 0, 0, 8, 2, 0, 0}, false, false},
                        {"longer than all", {17, 1, 0, 0, 8, 2, 0, 0}, false, false},
                        {"the second too long", {8, 1, 0, 0, 9, 2, 0, 0}, true, false},
                        {"flags in the type", {8, 0x8001, 0, 0, 8, 0x4002, 0, 0}, true, true},
                        {"half a header left", {8, 1, 0, 0, 8}, true, false},
                        {"one takes all", {16, 1, 0, 0, 8, 2, 0, 0}, true, false}};
  for (const auto &c : cases) {
    SCOPED_TRACE(c.name);
    alignas(nlattr) std::array<std::uint16_t, 8> words{};
    std::copy(c.words.begin(), c.words.end(), words.begin());
    std::array<nlattr *, 3> found{};
    EXPECT_EQ(nla_parse(found.data(), 2, reinterpret_cast<nlattr *>(words.data()),
                        static_cast<int>(c.words.size() * 2), nullptr),
              0);
    EXPECT_EQ(found[1] != nullptr, c.first);
    EXPECT_EQ(found[2] != nullptr, c.second);
  }
}

TEST(netlink_attributes, a_message_shorter_than_its_header_is_refused) {
  nlmsghdr header{};
  header.nlmsg_len = NLMSG_HDRLEN + 3;
  std::array<nlattr *, 3> found{};
  EXPECT_EQ(nlmsg_valid_hdr(&header, 4), 0);
  EXPECT_LT(nlmsg_parse(&header, 4, found.data(), 2, nullptr), 0);
  EXPECT_EQ(nlmsg_attrlen(&header, 4), 0);
}

} // namespace
