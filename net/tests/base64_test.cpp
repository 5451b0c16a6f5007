#include "net/base64.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(net_base64, encodes_the_vectors_of_rfc_4648_section_10) {
  const std::pair<const char *, const char *> cases[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto &[bytes, text] : cases) {
    EXPECT_EQ(base64_encode(bytes), text);
    EXPECT_EQ(base64_decode(text).value_or("refused"), bytes);
  }
}

TEST(net_base64, the_url_alphabet_has_no_padding_and_decodes_too) {
  const std::string bytes = "\xfb\xff\xfe?";
  EXPECT_EQ(base64url_encode(bytes), "-__-Pw");
  EXPECT_EQ(base64_decode("-__-Pw").value_or(""), bytes);
  EXPECT_EQ(base64_decode("+//+\nPw==").value_or(""), bytes);
}

TEST(net_base64, refuses_what_is_no_base64) {
  for (const char *text : {"a", "ab!d", "Zg==Zg", "Zm9vZ"})
    EXPECT_FALSE(base64_decode(text)) << text;
}

} // namespace
} // namespace sluice
