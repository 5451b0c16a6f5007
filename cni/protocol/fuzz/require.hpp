#pragma once
// What a fuzz target says of its input, beside that nothing crashes.

#include "cni/protocol/json.hpp"

#include <cstdio>
#include <cstdlib>

namespace sluice::cni {

inline void require(bool holds, const char *what, std::string_view seen = {}) {
  if (holds)
    return;
  std::fprintf(stderr, "does not hold: %s\n%.*s\n", what, static_cast<int>(seen.size()),
               seen.data());
  std::abort();
}

/// An error must reach the runtime as JSON, whatever bytes it quotes.
inline void require_readable(const CniError &error) {
  const auto text = error.str(kLatestVersion);
  require(JsonDocument::parse(text).has_value(), "an error is one JSON document", text);
  require(!error.message().empty(), "an error says something");
}

/// Either it worked, or the error can be printed.
template <class T> bool worked(const Outcome<T> &outcome) {
  if (!outcome)
    require_readable(outcome.error());
  return outcome.has_value();
}

inline std::string_view text_of(const unsigned char *data, std::size_t size) {
  return {reinterpret_cast<const char *>(data), size};
}

} // namespace sluice::cni
