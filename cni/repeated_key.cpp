#include "cni/repeated_key.hpp"

#include "cni/protocol/json.hpp"

#include <nlohmann/json.hpp>
#include <set>
#include <strings.h>
#include <vector>

namespace sluice::cni {
namespace {

/// An object or array that is open, and the object's key that was read last.
struct Level {
  bool object;
  std::string key;
};

class Scan {
public:
  Scan(std::string_view text, std::string_view object) : text_(text), object_(object) {}

  std::optional<std::string> run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        if (is_repeated(read_string()))
          return levels_.back().key;
        continue;
      }
      if (c == '{' || c == '[')
        levels_.push_back({c == '{', {}});
      if (c == '}' || c == ']') {
        key_is_next_ = false; // a comma is
        if (!levels_.empty())
          levels_.pop_back();
      }
      if (c == '{' || c == ',' || c == ':')
        key_is_next_ = c != ':' && !levels_.empty() && levels_.back().object;
      ++at_;
    }
    return std::nullopt;
  }

private:
  /// From quote to quote, both included.
  std::string_view read_string() {
    const auto start = at_++;
    while (at_ < text_.size() && text_[at_] != '"')
      at_ += text_[at_] == '\\' ? 2 : 1;
    at_ = std::min(at_ + 1, text_.size());
    return text_.substr(start, at_ - start);
  }

  bool is_repeated(std::string_view quoted) {
    if (!key_is_next_)
      return false;
    const auto decoded = Json::parse(quoted, nullptr, false);
    levels_.back().key = decoded.is_string() ? decoded.get<std::string>() : std::string(quoted);
    const auto parent = levels_.size() < 2 ? std::string() : levels_[levels_.size() - 2].key;
    if (parent.size() != object_.size() ||
        ::strncasecmp(parent.data(), object_.data(), parent.size()) != 0)
      return false;
    std::vector<std::string> path;
    for (const auto &level : levels_)
      path.push_back(level.key);
    return !seen_.insert(std::move(path)).second;
  }

  std::string_view text_, object_;
  std::size_t at_ = 0;
  bool key_is_next_ = false;
  std::vector<Level> levels_;
  std::set<std::vector<std::string>> seen_;
};

} // namespace

std::optional<std::string> repeated_key(std::string_view text, std::string_view object) {
  return Scan(text, object).run();
}

} // namespace sluice::cni
