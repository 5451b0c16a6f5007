#pragma once
// Reads JSON (RFC 8259) value by value, without building a tree: whoever knows what comes asks for
// it. The first thing that is wrong sticks; from then on every call does nothing, so that decoders
// need no checks of their own.
//
//   reader.object([&](std::string_view key) {
//     return reader.read(key, "name", pod.name) || reader.read(key, "ports", pod.ports);
//   });                                            // a member that nobody takes is skipped
//
// `null` anywhere means "absent" and leaves the target as it was, as in the Kubernetes API. UTF-8
// is passed through unchecked. Not thread-safe.

#include "net/result.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sluice::kube {

class JsonReader {
public:
  /// `text` outlives the reader.
  explicit JsonReader(std::string_view text) : text_(text) {}

  enum class Kind : std::uint8_t { object, array, string, number, boolean, null, none };
  /// What comes next; `none` at the end or after an error.
  Kind peek();
  /// Takes a null if one comes.
  bool null();

  void value(std::string &into);
  void value(bool &into);
  void value(std::int32_t &into);
  void value(std::int64_t &into);
  template <class T> void value(std::optional<T> &into) {
    if (!null())
      value(into.emplace());
  }
  template <class T> void value(std::vector<T> &into) {
    array([&] { value(into.emplace_back()); });
  }
  template <class T> void value(std::map<std::string, T> &into) {
    object([&](std::string_view key) {
      value(into[std::string(key)]);
      return true;
    });
  }
  /// Any other type has a `void decode(JsonReader &, T &)` found by its namespace.
  template <class T>
  requires std::is_class_v<T>
  void value(T &into) { decode(*this, into); }

  /// If `key` is `name`: reads the value and says true.
  template <class T> bool read(std::string_view key, std::string_view name, T &into) {
    if (key != name)
      return false;
    value(into);
    return true;
  }
  /// The same for an object whose members are wanted.
  template <class Member> bool inside(std::string_view key, std::string_view name, Member member) {
    if (key != name)
      return false;
    object(member);
    return true;
  }

  /// Calls `member(key)` for each member; it reads the value and says true, or says false.
  template <class Member> void object(Member member) {
    if (null() || !open('{', "an object"))
      return;
    while (const std::optional<std::string_view> key = next_key()) {
      path_.push_back({*key, 0});
      if (!member(*key))
        skip();
      path_.pop_back();
    }
  }
  /// Calls `element()`, which reads one value, for each element.
  template <class Element> void array(Element element) {
    if (null() || !open('[', "a list"))
      return;
    path_.push_back({{}, 0});
    for (; next_element(); ++path_.back().index)
      element();
    path_.pop_back();
  }

  /// Passes over one value; its text.
  std::string_view skip();
  /// Nothing but white space may follow.
  void end();

  bool failed() const noexcept { return error_.has_value(); }
  const std::optional<Error> &error() const noexcept { return error_; }

  /// A place before a value, to come back to.
  struct Mark {
    std::size_t at, depth;
  };
  Mark mark() const noexcept { return {at_, depth_}; }
  /// The value at `mark` has a content that its field does not allow; `wanted` as "a port number".
  void refuse(Mark mark, std::string_view wanted);
  /// Forgets a refusal and passes over the value at `mark`, whose text it gives. Empty if the text
  /// itself is broken: from that nothing can recover.
  std::string_view recover(Mark mark);

private:
  struct Step {
    std::string_view key; // null data: an element of a list
    std::size_t index;
  };

  void blanks();
  bool open(char bracket, std::string_view wanted);
  std::optional<std::string_view> next_key();
  bool next_element();
  bool next_in(char closing);
  bool literal(std::string_view word);
  /// The text between the quotes, still escaped.
  std::optional<std::string_view> raw_string(bool &escaped);
  bool unescape(std::string_view raw, std::string &into);
  bool unescape_unicode(std::string_view raw, std::size_t &i, std::string &into);
  std::string_view number();
  void skip_one();
  void broken();
  void wrong_kind(std::string_view wanted);
  void refuse_as(std::string_view wanted, std::string_view found);
  std::string path() const;

  static constexpr std::size_t kMaxDepth = 256;

  std::string_view text_;
  std::size_t at_ = 0, depth_ = 0;
  bool first_ = false; // just behind an opening bracket
  bool broken_ = false;
  std::vector<Step> path_;
  std::deque<std::string> escaped_keys_;
  std::optional<Error> error_;
};

} // namespace sluice::kube
