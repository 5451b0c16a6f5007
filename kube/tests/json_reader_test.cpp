#include "kube/json_reader.hpp"

#include <nlohmann/json.hpp>

namespace sluice::kube {
namespace {

std::string skipped(std::string_view text) {
  JsonReader reader(text);
  reader.skip();
  reader.end();
  return reader.failed() ? reader.error()->what() : "good";
}

TEST(json_reader, it_takes_what_json_is_and_nothing_else) {
  const char *const kTexts[] = {
      "{}", "[]", "null", "true", "false", "0", "-0", "-1.5e+10", "1E9", "\"\"", "\"a\"",
      " { \"a\" : [ 1 , { } , \"\\u00e9\\n\" ] } ", "[[[[]]]]", "\"\\ud83d\\ude00\"",
      // and what it is not
      "", " ", "{", "}", "[", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "[1 2]",
      "01", "-", "1.", ".5", "1e", "+1", "tru", "nul", "\"", "\"\\", "\"a\nb\"", "1 1", "{} x",
      "'a'", "{\"a\":1]", "[1}", "{\"a\":1 \"b\":2}", "NaN", "[1,,2]", "// c\n1"};
  for (const char *text : kTexts) {
    SCOPED_TRACE(text);
    const bool is_json = nlohmann::json::accept(text);
    EXPECT_EQ(skipped(text) == "good", is_json) << skipped(text);
  }
}

TEST(json_reader, every_prefix_of_a_document_is_broken_and_none_crashes) {
  const std::string text = R"({"a":[1,-2.5e3,true,null,{"b\n":"\u00e9\"x"}],"c":{"d":[[],{}]}})";
  ASSERT_EQ(skipped(text), "good");
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_NE(skipped(std::string_view(text).substr(0, size)), "good") << size;
}

TEST(json_reader, mutated_documents_are_judged_as_nlohmann_judges_them) {
  const std::string text = R"({"a":[1,-2.5e3,true,null,{"b":"\u00e9\"x"}],"c":{"d":[[],{}]}})";
  constexpr std::string_view kBytes = "{}[]:,\"\\0e-.tfn u1";
  for (std::size_t at = 0; at < text.size(); ++at)
    for (const char byte : kBytes) {
      std::string mutant = text;
      mutant[at] = byte;
      EXPECT_EQ(skipped(mutant) == "good", nlohmann::json::accept(mutant)) << mutant;
    }
}

TEST(json_reader, strings_are_unescaped_as_nlohmann_does) {
  for (const char *text : {R"("plain")", R"("\"\\\/\b\f\n\r\t")", R"("\u0041\u00e9\u20ac")",
                           R"("\ud83d\ude00!")", R"("tab\tend")"}) {
    SCOPED_TRACE(text);
    JsonReader reader(text);
    std::string value;
    reader.value(value);
    reader.end();
    EXPECT_FALSE(reader.failed());
    EXPECT_EQ(value, nlohmann::json::parse(text).get<std::string>());
  }
  for (const char *text : {R"("\x")", R"("\u12")", R"("\u12g4")"}) {
    SCOPED_TRACE(text);
    JsonReader reader(text);
    std::string value;
    reader.value(value);
    EXPECT_TRUE(reader.failed());
  }
}

TEST(json_reader, numbers_must_fit) {
  const struct {
    const char *text;
    bool fits32, fits64;
    int line;
  } kCases[] = {{"0", true, true, __LINE__},
                {"-2147483648", true, true, __LINE__},
                {"2147483648", false, true, __LINE__},
                {"-9223372036854775808", false, true, __LINE__},
                {"9223372036854775808", false, false, __LINE__},
                {"1.5", false, false, __LINE__},
                {"1e3", false, false, __LINE__},
                {"\"1\"", false, false, __LINE__}};
  for (const auto &c : kCases) {
    SCOPED_TRACE("line " + std::to_string(c.line));
    std::int32_t narrow = 0;
    std::int64_t wide = 0;
    JsonReader first(c.text), second(c.text);
    first.value(narrow);
    second.value(wide);
    EXPECT_EQ(!first.failed(), c.fits32);
    EXPECT_EQ(!second.failed(), c.fits64);
  }
}

TEST(json_reader, nesting_has_a_limit) {
  EXPECT_EQ(skipped(std::string(200, '[') + std::string(200, ']')), "good");
  EXPECT_NE(skipped(std::string(100000, '[')), "good");
}

TEST(json_reader, an_error_names_the_path) {
  JsonReader reader(R"({"a":{"b c":[0,{"d":"x"}]}})");
  std::int32_t number = 0;
  reader.object([&](std::string_view key) {
    return reader.inside(key, "a", [&](std::string_view inner) {
      if (inner != "b c")
        return false;
      reader.array([&] {
        if (reader.peek() == JsonReader::Kind::number)
          reader.value(number);
        else
          reader.object([&](std::string_view last) { return reader.read(last, "d", number); });
      });
      return true;
    });
  });
  ASSERT_TRUE(reader.failed());
  EXPECT_EQ(reader.error()->what(), "a.b c[1].d: must be an integer, found a string");
}

} // namespace
} // namespace sluice::kube
