// What the index of the store says, and when it is believed.
#include "ipam/record_index.hpp"

#include "ipam/store.hpp"
#include "ipam/tests/temp_folder.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::ipam {
namespace {

IpAddress ip(const std::string &text) { return IpAddress::parse(text).value(); }

constexpr timespec kStamp = {1795254859, 123456789};
const std::string kHead = "sluice-index 0\n";
const std::string kEnd = "=1795254859.123456789\n";

struct StampCase {
  const char *name;
  std::string text;
  bool expected;
  int line;
};

const StampCase kStamps[] = {
    {"nothing in the store", kHead + kEnd, true, __LINE__},
    {"a record", kHead + "+10.0.0.2 c1 eth0\n" + kEnd, true, __LINE__},
    {"another stamp", kHead + "=1795254859.123456788\n", false, __LINE__},
    {"a stamp that only ends alike", kHead + "=" + kEnd, false, __LINE__},
    {"no stamp at the end", kHead + kEnd + "+10.0.0.2 c1 eth0\n", false, __LINE__},
    {"half a line before the stamp", kHead + "+10.0.0.2 c1 e" + kEnd, false, __LINE__},
    {"another file", kEnd, false, __LINE__},
    {"nothing", "", false, __LINE__},
};

TEST(ipam_record_index, only_a_whole_text_with_the_stamp_is_believed) {
  for (const auto &c : kStamps) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    EXPECT_EQ(is_stamped(c.text, kStamp), c.expected);
  }
}

struct TextCase {
  const char *name, *lines;
  std::optional<std::vector<Record>> expected;
  int line;
};

const TextCase kTexts[] = {
    {"nothing in the store", "", std::vector<Record>{}, __LINE__},
    {"one of each family", "+10.0.0.2 c1 eth0\n+fd00::2 c1 eth0\n",
     std::vector<Record>{{ip("10.0.0.2"), "c1", "eth0"}, {ip("fd00::2"), "c1", "eth0"}}, __LINE__},
    {"one that was released, and an older stamp",
     "+10.0.0.2 c1 eth0\n+10.0.0.3 c2 eth0\n=1.2\n-10.0.0.2\n",
     std::vector<Record>{{ip("10.0.0.3"), "c2", "eth0"}}, __LINE__},
    {"no address", "+10.0.0.300 c1 eth0\n", std::nullopt, __LINE__},
    {"no container id", "+10.0.0.3  eth0\n", std::nullopt, __LINE__},
    {"no interface", "+10.0.0.3 c1 \n", std::nullopt, __LINE__},
    {"a release of what was not there", "-10.0.0.2\n", std::nullopt, __LINE__},
    {"something else", "\x01\n", std::nullopt, __LINE__},
    {"an empty line", "\n", std::nullopt, __LINE__},
};

TEST(ipam_record_index, the_log_is_played_back) {
  for (const auto &c : kTexts) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    EXPECT_EQ(parse_index(kHead + c.lines + kEnd), c.expected);
  }
}

TEST(ipam_record_index, an_attachment_is_found_by_its_whole_name_until_it_is_released) {
  const auto text = kHead +
                    "+10.0.0.2 c1 eth0\n+10.0.0.3 c1 eth01\n+10.0.0.4 xc1 eth0\n"
                    "=1.2\n+fd00::2 c1 eth0\n+10.0.0.22 c2 eth0\n-10.0.0.22\n"
                    "+10.0.0.9 c3 eth0\n-10.0.0.9\n+10.0.0.9 c3 eth0\n" +
                    kEnd;
  using Ips = std::vector<IpAddress>;
  EXPECT_EQ(find_indexed(text, {"c1", "eth0"}), (Ips{ip("10.0.0.2"), ip("fd00::2")}));
  EXPECT_EQ(find_indexed(text, {"c1", "eth01"}), Ips{ip("10.0.0.3")});
  EXPECT_EQ(find_indexed(text, {"c2", "eth0"}), Ips{});
  EXPECT_EQ(find_indexed(text, {"c3", "eth0"}), Ips{ip("10.0.0.9")});
  EXPECT_EQ(find_indexed(text, {"1", "eth0"}), Ips{});
}

TEST(ipam_record_index, what_it_cannot_say_is_not_written) {
  EXPECT_EQ(index_text({{ip("10.0.0.2"), "c1", "eth0"}}), "sluice-index 18\n+10.0.0.2 c1 eth0\n");
  EXPECT_FALSE(index_text({{ip("10.0.0.2"), "", ""}})) << "an interrupted write";
  EXPECT_FALSE(index_text({{ip("10.0.0.2"), "c1", ""}})) << "a record of very old versions";
  EXPECT_FALSE(index_text({{ip("10.0.0.2"), "c1", "eth0\n-10.0.0.3"}}));
}

/// A store with three records and an index.
class ipam_index : public testing::Test {
protected:
  void SetUp() override {
    auto store = open_scanned();
    for (const auto *text : {"10.0.0.2", "10.0.0.3", "fd00::2"})
      ASSERT_TRUE(store.reserve(ip(text), {"c1", "eth0"}).value());
    store.save_index();
  }
  Store open_scanned() const {
    auto store = Store::open(temp_.path()).value();
    EXPECT_TRUE(store.scan());
    return store;
  }
  /// How many addresses c1 has by the index; -1: it is not valid.
  int indexed() const {
    const auto found = Store::open(temp_.path())->find_by_index({"c1", "eth0"});
    return found ? static_cast<int>(found->size()) : -1;
  }
  std::string index_file() const { return temp_.path() + "/.sluice-index"; }
  void damage(off_t at) const {
    const int fd = ::open(index_file().c_str(), O_WRONLY | O_CLOEXEC);
    EXPECT_EQ(::pwrite(fd, "x", 1, at), 1);
    ::close(fd);
  }
  TempFolder temp_;
};

TEST_F(ipam_index, the_next_one_reads_only_the_records_of_the_attachment) {
  EXPECT_EQ(indexed(), 3);
  EXPECT_EQ(Store::open(temp_.path())->find_by_index({"c2", "eth0"})->size(), 0U);
}

TEST_F(ipam_index, changes_are_appended_until_it_is_written_anew) {
  for (int i = 0; i < 600; ++i) {
    auto store = Store::open(temp_.path()).value();
    ASSERT_TRUE(store.find_by_index({"c2", "eth0"})) << i;
    ASSERT_TRUE(store.reserve(ip("10.0.1.7"), {"c2", "eth0"}).value());
    ASSERT_TRUE(store.release(ip("10.0.1.7")));
    store.save_index();
  }
  EXPECT_EQ(indexed(), 3);
  EXPECT_LT(std::filesystem::file_size(index_file()), 17'000U);
}

TEST_F(ipam_index, whoever_makes_or_removes_a_file_makes_it_invalid_until_the_next_scan) {
  write_file(temp_.path() + "/10.0.0.9", "c1\r\neth0");
  EXPECT_EQ(indexed(), -1);
  open_scanned().save_index();
  EXPECT_EQ(indexed(), 4);
  std::filesystem::remove(temp_.path() + "/10.0.0.9");
  EXPECT_EQ(indexed(), -1);
  open_scanned().save_index();
  EXPECT_EQ(indexed(), 3);
}

TEST_F(ipam_index, death_before_the_end_makes_it_invalid) {
  {
    auto store = Store::open(temp_.path()).value();
    ASSERT_TRUE(store.find_by_index({"c2", "eth0"}));
    ASSERT_TRUE(store.reserve(ip("10.0.0.9"), {"c2", "eth0"}).value());
  }
  EXPECT_EQ(indexed(), -1);
}

TEST_F(ipam_index, damage_is_noticed) {
  damage(0);
  EXPECT_EQ(indexed(), -1) << "its beginning";
  open_scanned().save_index();
  std::filesystem::resize_file(index_file(), 40);
  EXPECT_EQ(indexed(), -1) << "cut off";
  open_scanned().save_index();
  std::filesystem::remove(index_file());
  EXPECT_EQ(indexed(), -1) << "gone";
  open_scanned().save_index();
  EXPECT_EQ(indexed(), 3);
}

TEST_F(ipam_index, a_record_that_says_something_else_is_believed_more) {
  write_file(temp_.path() + "/10.0.0.3", "c9\r\neth0"); // in place: the folder does not change
  EXPECT_EQ(indexed(), -1);
}

TEST_F(ipam_index, there_is_none_beside_an_interrupted_record) {
  write_file(temp_.path() + "/10.0.0.9", "");
  open_scanned().save_index();
  EXPECT_EQ(indexed(), -1);
}

} // namespace
} // namespace sluice::ipam
