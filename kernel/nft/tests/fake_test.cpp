#include "kernel/nft/fake.hpp"
#include "kernel/nft/tests/cases.hpp"

namespace sluice::kernel::nft {
namespace {

using namespace tests;

TEST(kernel_nft_fake, answers_every_case_as_the_kernel_does) {
  for (const auto &c : cases()) {
    SCOPED_TRACE(c.name);
    fake::Nft nft(std::make_shared<fake::Ruleset>());
    ASSERT_TRUE(nft.commit(common_ground()));
    const auto before = snapshot(nft, kTable);
    const auto result = nft.commit(c.batch);
    if (!c.error) {
      EXPECT_TRUE(result) << result.error().what();
      continue;
    }
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), *c.error) << result.error().what();
    EXPECT_NE(result.error().what().find(c.named), std::string::npos) << result.error().what();
    EXPECT_EQ(*snapshot(nft, kTable), *before);
  }
}

TEST(kernel_nft_fake, fails_on_demand_and_keeps_everything) {
  auto ruleset = std::make_shared<fake::Ruleset>();
  fake::Nft nft(ruleset);
  ASSERT_TRUE(nft.commit(common_ground()));
  Batch batch(kTable);
  batch.destroy_table().add_table().add(Chain{.name = "new"});
  const auto before = *snapshot(nft, kTable);
  for (std::size_t op = 0; op < batch.ops().size(); ++op) {
    nft.fail_at_op(op);
    EXPECT_FALSE(nft.commit(batch));
    EXPECT_EQ(*snapshot(nft, kTable), before) << "failed at op " << op;
  }
  EXPECT_TRUE(nft.commit(batch));
}

TEST(kernel_nft_fake, dies_after_so_many_commits_and_a_second_program_finds_its_state) {
  auto ruleset = std::make_shared<fake::Ruleset>();
  fake::Nft first(ruleset);
  first.fail_after(1);
  ASSERT_TRUE(first.commit(common_ground()));
  Batch more(kTable);
  more.add("numbers", number(2, 20));
  EXPECT_FALSE(first.commit(more));
  EXPECT_FALSE(first.commit(more));
  fake::Nft second(ruleset);
  EXPECT_EQ(second.elements(kTable, "numbers")->size(), 1U);
  EXPECT_TRUE(second.commit(more));
}

TEST(kernel_nft_fake, refuses_a_commit_for_a_generation_that_is_gone) {
  fake::Nft nft(std::make_shared<fake::Ruleset>());
  const auto generation = *nft.generation();
  ASSERT_TRUE(nft.commit(common_ground(), {.generation = generation}));
  const auto late = nft.commit(Batch(kTable).remove_table(), {.generation = generation});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Errc::conflict);
}

} // namespace
} // namespace sluice::kernel::nft
