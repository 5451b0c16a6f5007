#include "net/mailbox.hpp"

#include <gtest/gtest.h>
#include <thread>

namespace sluice {
namespace {

using namespace std::chrono_literals;

TEST(net_mailbox, messages_of_one_writer_keep_their_order) {
  Mailbox<int> mailbox;
  std::thread writer([&] {
    for (int i = 0; i < 1000; ++i)
      mailbox.put(i);
    mailbox.close();
  });
  for (int i = 0; i < 1000; ++i)
    EXPECT_EQ(mailbox.take(), i);
  EXPECT_EQ(mailbox.take(), std::nullopt);
  writer.join();
}

TEST(net_mailbox, an_empty_mailbox_gives_nothing_at_the_deadline) {
  Mailbox<int> mailbox;
  const auto deadline = std::chrono::steady_clock::now() + 5ms;
  EXPECT_EQ(mailbox.take_until(deadline), std::nullopt);
  EXPECT_GE(std::chrono::steady_clock::now(), deadline);
}

TEST(net_mailbox, a_closed_mailbox_is_emptied_and_refuses_more) {
  Mailbox<int> mailbox;
  mailbox.put(1);
  mailbox.close();
  EXPECT_FALSE(mailbox.put(2));
  EXPECT_EQ(mailbox.take(), 1);
  EXPECT_EQ(mailbox.take(), std::nullopt);
}

} // namespace
} // namespace sluice
