#include "ipam/store.hpp"

#include "ipam/tests/temp_folder.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace sluice::ipam {
namespace {

IpAddress ip(const std::string &text) { return IpAddress::parse(text).value(); }

struct RecordCase {
  const char *name, *content, *container_id, *ifname;
  int line;
};

const RecordCase kRecords[] = {
    {"id and name", "c1\r\neth0", "c1", "eth0", __LINE__},
    {"id alone, of old versions", "c1", "c1", "", __LINE__},
    {"blanks around", " c1 \r\neth0\n", "c1", "eth0", __LINE__},
    {"empty: an interrupted write", "", "", "", __LINE__},
    {"zeros: a lost block", std::string_view("\0\0\0\0", 4).data(), "", "", __LINE__},
    {"no id", "\r\neth0", "eth0", "", __LINE__},
    {"something else", "{\"a\":1}", "", "", __LINE__},
};

TEST(ipam_store, records_are_read_as_host_local_writes_them) {
  for (const auto &c : kRecords) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto record = parse_record(ip("10.0.0.1"), c.content);
    EXPECT_EQ(record.container_id, c.container_id);
    EXPECT_EQ(record.ifname, c.ifname);
  }
}

unsigned mode_of(const std::string &file) {
  struct stat info {};
  EXPECT_EQ(::stat(file.c_str(), &info), 0) << file;
  return info.st_mode & 07777;
}

TEST(ipam_store, files_have_the_bytes_and_modes_of_host_local) {
  const auto umask_before = ::umask(022);
  TempFolder temp;
  const auto folder = temp.path() + "/a/b/net";
  auto store = Store::open(folder).value();
  EXPECT_TRUE(store.reserve(ip("10.0.0.2"), {"c1", "eth0"}).value());
  EXPECT_TRUE(store.reserve(ip("2001:DB8:0::5"), {"c1", "eth0"}).value());
  EXPECT_FALSE(store.reserve(ip("10.0.0.2"), {"c2", "eth0"}).value());
  ASSERT_TRUE(store.set_last_reserved(0, ip("10.0.0.200")));
  ASSERT_TRUE(store.set_last_reserved(0, ip("10.0.0.2")));
  ::umask(umask_before);

  EXPECT_EQ(listing(folder), "10.0.0.2 2001:db8::5 last_reserved_ip.0 lock");
  EXPECT_EQ(file_content(folder + "/10.0.0.2"), "c1\r\neth0");
  EXPECT_EQ(file_content(folder + "/last_reserved_ip.0"), "10.0.0.2");
  EXPECT_EQ(mode_of(folder), 0755U);
  EXPECT_EQ(mode_of(folder + "/10.0.0.2"), 0600U);
  EXPECT_EQ(mode_of(folder + "/last_reserved_ip.0"), 0600U);
  EXPECT_EQ(mode_of(folder + "/lock"), 0750U);
  EXPECT_EQ(store.last_reserved(0), ip("10.0.0.2"));
  EXPECT_FALSE(store.last_reserved(1));
}

TEST(ipam_store, unknown_files_and_folders_are_passed_over) {
  TempFolder temp;
  write_file(temp.path() + "/notes", "c1\r\neth0");
  std::filesystem::create_directory(temp.path() + "/10.0.0.9");
  write_file(temp.path() + "/10.0.0.8", "c1\r\neth0");
  auto store = Store::open(temp.path()).value();
  ASSERT_TRUE(store.scan());
  const auto &records = store.records();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0], (Record{ip("10.0.0.8"), "c1", "eth0"}));
  EXPECT_EQ(records[1], (Record{ip("10.0.0.9"), "", ""}));
}

TEST(ipam_store, releasing_what_is_not_there_is_no_error) {
  TempFolder temp;
  auto store = Store::open(temp.path()).value();
  EXPECT_TRUE(store.release(ip("10.0.0.2")));
}

TEST(ipam_store, an_absent_folder_is_not_made_by_looking) {
  TempFolder temp;
  const auto store = Store::open_existing(temp.path() + "/net");
  ASSERT_TRUE(store);
  EXPECT_FALSE(*store);
  EXPECT_EQ(listing(temp.path()), "");
}

TEST(ipam_store, a_folder_that_cannot_be_made_is_named) {
  TempFolder temp;
  write_file(temp.path() + "/file", "");
  const auto store = Store::open(temp.path() + "/file/net");
  ASSERT_FALSE(store);
  EXPECT_TRUE(store.error().is(cni::Code::io));
  EXPECT_NE(store.error().message().find(temp.path() + "/file/net"), std::string::npos);
}

} // namespace
} // namespace sluice::ipam
