#pragma once
// observed -> desired -> diff: the one step that every agent shares.

#include <map>
#include <vector>

namespace sluice {

template <class K, class V> struct Diff {
  std::map<K, V> set;    ///< keys that are missing or hold another value
  std::vector<K> remove; ///< keys that must go, in order
  bool empty() const noexcept { return set.empty() && remove.empty(); }
};

/// Pure; O(n); output in key order, so equal inputs give equal operations.
template <class K, class V>
Diff<K, V> diff(const std::map<K, V> &actual, const std::map<K, V> &desired) {
  Diff<K, V> result;
  auto a = actual.begin();
  auto w = desired.begin();
  while (a != actual.end() || w != desired.end()) {
    if (w == desired.end() || (a != actual.end() && a->first < w->first)) {
      result.remove.push_back((a++)->first);
    } else if (a == actual.end() || w->first < a->first) {
      result.set.insert(result.set.end(), *w++);
    } else {
      if (!(a->second == w->second))
        result.set.insert(result.set.end(), *w);
      ++a;
      ++w;
    }
  }
  return result;
}

} // namespace sluice
