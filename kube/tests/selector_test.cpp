#include "kube/field_selector.hpp"
#include "kube/label_selector.hpp"

namespace sluice::kube {
namespace {

const Labels kLabels = {
    {"app", "web"}, {"tier", "front"}, {"n", "5"}, {"empty", ""}, {"example.com/x", "y"}};

TEST(label_selector, text_is_parsed_matched_and_printed) {
  const struct {
    const char *text;
    bool matches;
    const char *canonical;
    int line;
  } kCases[] = {
      {"", true, "", __LINE__},
      {"  ", true, "", __LINE__},
      {"app=web", true, "app=web", __LINE__},
      {"app == web", true, "app=web", __LINE__},
      {"app=db", false, "app=db", __LINE__},
      {"app!=db", true, "app!=db", __LINE__},
      {"app != web", false, "app!=web", __LINE__},
      {"missing!=x", true, "missing!=x", __LINE__},
      {"app in (web, db)", true, "app in (db,web)", __LINE__},
      {"app in (web,web)", true, "app=web", __LINE__},
      {"app in (db)", false, "app=db", __LINE__},
      {"missing in (x)", false, "missing=x", __LINE__},
      {"app notin (db,cache)", true, "app notin (cache,db)", __LINE__},
      {"missing notin (x)", true, "missing!=x", __LINE__},
      {"app", true, "app", __LINE__},
      {"missing", false, "missing", __LINE__},
      {"!missing", true, "!missing", __LINE__},
      {"! app", false, "!app", __LINE__},
      {"empty=", true, "empty=", __LINE__},
      {"app=", false, "app=", __LINE__},
      {"empty in ()", true, "empty=", __LINE__},
      {"n>4", true, "n>4", __LINE__},
      {"n > 5", false, "n>5", __LINE__},
      {"n<6", true, "n<6", __LINE__},
      {"app>1", false, "app>1", __LINE__},
      {"missing<1", false, "missing<1", __LINE__},
      {"example.com/x=y", true, "example.com/x=y", __LINE__},
      {"tier=front,app in (a,web),!z", true, "app in (a,web),tier=front,!z", __LINE__},
      {"app=web,app!=web", false, "app=web,app!=web", __LINE__},
      {"!service.kubernetes.io/headless", true, "!service.kubernetes.io/headless", __LINE__},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE(std::string(c.text) + " (line " + std::to_string(c.line) + ")");
    const auto matcher = LabelMatcher::parse(c.text);
    ASSERT_TRUE(matcher) << matcher.error().what();
    EXPECT_EQ(matcher->matches(kLabels), c.matches);
    EXPECT_EQ(matcher->str(), c.canonical);
    EXPECT_EQ(*LabelMatcher::parse(matcher->str()), *matcher);
  }
}

TEST(label_selector, bad_text_is_refused) {
  for (const char *text : {",",
                           "a=b,",
                           ",a=b",
                           "a=b,,c",
                           "a in b",
                           "a in (b",
                           "a nowhere (b)",
                           "(b)",
                           "a=b=c",
                           "=b",
                           "!",
                           "a!b",
                           "a b",
                           "-a",
                           "a/b/c",
                           "/a",
                           "Example.com/a",
                           "a=b c",
                           "a=-b",
                           "a>x",
                           "n<",
                           "a=0123456789012345678901234567890123456789012345678901234567890123"}) {
    SCOPED_TRACE(text);
    const auto matcher = LabelMatcher::parse(text);
    ASSERT_FALSE(matcher);
    EXPECT_EQ(matcher.error().code(), Errc::invalid_input);
  }
}

TEST(label_selector, an_api_object_becomes_the_same_matcher) {
  LabelSelector selector;
  EXPECT_TRUE(LabelMatcher::from(selector)->everything());
  selector.matchLabels = {{"tier", "front"}};
  selector.matchExpressions = {{"app", "In", {"web", "db"}},
                               {"x", "NotIn", {"y"}},
                               {"n", "Exists", {}},
                               {"z", "DoesNotExist", {}}};
  const auto matcher = LabelMatcher::from(selector);
  ASSERT_TRUE(matcher) << matcher.error().what();
  EXPECT_TRUE(matcher->matches(kLabels));
  EXPECT_EQ(*matcher, *LabelMatcher::parse("tier=front,app in (web,db),x!=y,n,!z"));
}

TEST(label_selector, an_api_object_that_breaks_the_rules_is_refused) {
  const LabelSelectorRequirement kBad[] = {
      {"a", "In", {}},    {"a", "NotIn", {}}, {"a", "Exists", {"b"}}, {"a", "DoesNotExist", {"b"}},
      {"a", "Gt", {"1"}}, {"", "Exists", {}}, {"a b", "Exists", {}},  {"a", "In", {"b c"}}};
  for (const auto &requirement : kBad) {
    SCOPED_TRACE(requirement.key + " " + requirement.operator_);
    EXPECT_FALSE(LabelMatcher::from({{}, {requirement}}));
  }
  EXPECT_FALSE(LabelMatcher::from({{{"a", "not a value!"}}, {}}));
}

TEST(field_selector, text_is_parsed_matched_and_printed) {
  const auto value_of = [](const std::string &field) {
    return field == "spec.nodeName" ? "n1" : field == "odd" ? "a,b=c\\" : "";
  };
  const struct {
    const char *text;
    bool matches;
    int line;
  } kCases[] = {
      {"", true, __LINE__},
      {"spec.nodeName=n1", true, __LINE__},
      {"spec.nodeName==n2", false, __LINE__},
      {"spec.nodeName!=n2,status.phase!=Failed", true, __LINE__},
      {"spec.nodeName!=n1", false, __LINE__},
      {"status.phase=", true, __LINE__},
      {R"(odd=a\,b\=c\\)", true, __LINE__},
      {"spec.clusterIP!=None", true, __LINE__},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE(std::string(c.text) + " (line " + std::to_string(c.line) + ")");
    const auto matcher = FieldMatcher::parse(c.text);
    ASSERT_TRUE(matcher) << matcher.error().what();
    EXPECT_EQ(matcher->matches(value_of), c.matches);
    EXPECT_EQ(FieldMatcher::parse(matcher->str())->terms(), matcher->terms());
  }
  for (const char *bad : {"a", "=b", "a!b", "a=b=c", "a=b\\", "a=\\x"}) {
    SCOPED_TRACE(bad);
    EXPECT_FALSE(FieldMatcher::parse(bad));
  }
}

} // namespace
} // namespace sluice::kube
