#pragma once
// How a benchmark treats errors.

#include "net/result.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <type_traits>
#include <utility>

namespace sluice::bench {

/// Ends the program with the error; a benchmark has no other use for it.
template <class T> T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, result.error().what().c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>)
    return std::move(*result);
}

} // namespace sluice::bench
