#include "controlplane/registry/tests/test_registry.hpp"

namespace sluice::controlplane {
namespace {

using controlplane_list = RegistryTest;

std::string names(const ListResult &list) {
  std::string text;
  for (const auto &item : list.items)
    text += (text.empty() ? "" : " ") + item->key.name;
  return text;
}

TEST(controlplane_selector, label_selectors_match_as_documented) {
  const Labels labels = {{"app", "web"}, {"tier", "front"}, {"n", "5"}};
  const std::pair<const char *, bool> cases[] = {
      {"", true},
      {"app=web", true},
      {"app==web,tier=front", true},
      {"app=web,tier=back", false},
      {"app!=web", false},
      {"other!=x", true},
      {"app in (web, db)", true},
      {"app in (db)", false},
      {"app notin (db)", true},
      {"other notin (db)", true},
      {"app", true},
      {"other", false},
      {"!other", true},
      {"!app", false},
      {"n>4", true},
      {"n>5", false},
      {"n<6", true},
      {"app=", false},
      {"!service.kubernetes.io/headless", true},
  };
  for (const auto &[text, expected] : cases) {
    SCOPED_TRACE(text);
    const auto selector = parse_label_selector(text);
    ASSERT_TRUE(selector) << selector.error().message;
    EXPECT_EQ(selector->matches(labels), expected);
  }
}

TEST(controlplane_selector, nonsense_is_refused) {
  for (const char *text : {"a in", "a in (b", "=b", "a=b c", "!a=b", "a>x", "a,,b"}) {
    SCOPED_TRACE(text);
    const auto selector = parse_label_selector(text);
    ASSERT_FALSE(selector);
    EXPECT_EQ(selector.error().code, 400);
  }
}

TEST(controlplane_selector, field_selectors_know_their_kind) {
  const auto &pods = *find_by_kind("v1", "Pod");
  const auto good =
      parse_field_selector("spec.nodeName=n,status.phase!=Succeeded,metadata.name==a", pods);
  ASSERT_TRUE(good);
  EXPECT_EQ(good->terms().size(), 3U);
  EXPECT_FALSE(good->terms()[1].equal);
  const auto bad = parse_field_selector("spec.color=red", pods);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message, "field label not supported: spec.color");
  const auto escaped = parse_field_selector("metadata.name=a\\,b\\=c", pods);
  ASSERT_TRUE(escaped);
  EXPECT_EQ(escaped->terms()[0].value, "a,b=c");
}

TEST_F(controlplane_list, selects_by_namespace_label_and_field) {
  must_create("Namespace", {{"metadata", {{"name", "other"}}}});
  auto a = config("a");
  a["metadata"]["labels"]["app"] = "web";
  must_create("ConfigMap", a);
  must_create("ConfigMap", config("b"));
  auto c = config("c");
  c["metadata"]["namespace"] = "other";
  must_create("ConfigMap", c);
  const auto &type = kind("ConfigMap");
  const auto list = [&](const char *space, const char *labels, const char *fields) {
    ListOptions options;
    options.selection = {space, *parse_label_selector(labels), *parse_field_selector(fields, type)};
    return names(*registry->list(type, options));
  };
  EXPECT_EQ(list("", "", ""), "a b c");
  EXPECT_EQ(list("default", "", ""), "a b");
  EXPECT_EQ(list("", "app=web", ""), "a");
  EXPECT_EQ(list("", "", "metadata.name=c"), "c");
  EXPECT_EQ(list("", "", "metadata.namespace!=default"), "c");
  EXPECT_EQ(list("default", "!app", "metadata.name=b"), "b");
}

TEST_F(controlplane_list, pages_show_the_state_of_the_first_page) {
  const auto &type = kind("ConfigMap");
  for (const char *name : {"a", "b", "c", "d", "e"})
    must_create("ConfigMap", config(name));
  ListOptions options;
  options.limit = 2;
  const auto first = registry->list(type, options);
  ASSERT_TRUE(first);
  EXPECT_EQ(names(*first), "a b");
  EXPECT_EQ(first->remaining, 3U);
  must_create("ConfigMap", config("bb"));
  ASSERT_TRUE(registry->remove(type, {"default", "c"}));
  options.continueToken = first->continueToken;
  const auto second = registry->list(type, options);
  ASSERT_TRUE(second);
  EXPECT_EQ(names(*second), "c d");
  EXPECT_EQ(second->resourceVersion, first->resourceVersion);
  options.continueToken = second->continueToken;
  const auto third = registry->list(type, options);
  EXPECT_EQ(names(*third), "e");
  EXPECT_TRUE(third->continueToken.empty());
}

TEST_F(controlplane_list, an_expired_page_says_how_to_go_on) {
  Registry::Options short_memory;
  short_memory.history = 2;
  open(short_memory);
  const auto &type = kind("ConfigMap");
  for (const char *name : {"a", "b", "c"})
    must_create("ConfigMap", config(name));
  ListOptions options;
  options.limit = 1;
  const auto first = registry->list(type, options);
  for (const char *name : {"d", "e", "f"})
    must_create("ConfigMap", config(name));
  options.continueToken = first->continueToken;
  const auto expired = registry->list(type, options);
  ASSERT_FALSE(expired);
  EXPECT_EQ(expired.error().code, 410);
  ASSERT_FALSE(expired.error().continueToken.empty());
  options.continueToken = expired.error().continueToken;
  options.limit = 0;
  const auto rest = registry->list(type, options);
  ASSERT_TRUE(rest) << to_text(rest.error());
  EXPECT_EQ(names(*rest), "b c d e f");
}

TEST_F(controlplane_list, resource_versions_follow_the_rules) {
  const auto &type = kind("ConfigMap");
  const auto a = must_create("ConfigMap", config("a"));
  must_create("ConfigMap", config("b"));
  const auto list = [&](std::string version, std::string match, std::uint64_t limit = 0) {
    ListOptions options;
    options.resourceVersion = std::move(version);
    options.resourceVersionMatch = std::move(match);
    options.limit = limit;
    return registry->list(type, options);
  };
  const auto at_a = std::to_string(a->resourceVersion);
  EXPECT_EQ(names(*list(at_a, "Exact")), "a");
  EXPECT_EQ(names(*list(at_a, "NotOlderThan")), "a b");
  EXPECT_EQ(names(*list("0", "", 1)), "a b") << "limit is ignored with version 0";
  EXPECT_EQ(list("x", "").error().code, 400);
  EXPECT_EQ(list("", "Exact").error().code, 422);
  EXPECT_EQ(list("0", "Exact").error().code, 422);
  EXPECT_EQ(list("5", "Sometimes").error().code, 422);
  ListOptions both;
  both.continueToken = "x";
  both.resourceVersion = "1";
  EXPECT_EQ(registry->list(type, both).error().code, 400);
  ListOptions forged;
  forged.continueToken = "bm9uc2Vuc2U";
  EXPECT_EQ(registry->list(type, forged).error().code, 400);
}

TEST_F(controlplane_list, a_version_of_the_future_is_waited_for_and_then_refused) {
  Registry::Options impatient;
  impatient.futureVersionWait = std::chrono::milliseconds(20);
  open(impatient);
  ListOptions options;
  options.resourceVersion = "1000000";
  const auto list = registry->list(kind("ConfigMap"), options);
  ASSERT_FALSE(list);
  EXPECT_EQ(list.error().code, 504);
  EXPECT_EQ(list.error().causes.at(0).reason, "ResourceVersionTooLarge");
  EXPECT_EQ(list.error().retryAfterSeconds, 1);
}

} // namespace
} // namespace sluice::controlplane
