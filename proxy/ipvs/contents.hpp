#pragma once
// What the nft table holds: elements and the chains that come and go, each counted by how many
// wanted it. Changes are collected and become one batch. Pure.

#include "proxy/ipvs/layout.hpp"

namespace sluice::proxy::ipvs {

using Elements = std::map<kernel::nft::Value, kernel::nft::Element>;

class Contents {
public:
  /// One more wants it. A second one with other data is a programming error (the first one's stay).
  void add(const std::string &set, kernel::nft::Element element);
  void add_key(const std::string &set, kernel::nft::Value key) { add(set, {.key = key}); }
  /// One fewer wants it; with the last one it goes.
  void drop(const std::string &set, const kernel::nft::Value &key);

  void add_chain(const std::string &chain, std::vector<kernel::nft::Rule> rules);
  void drop_chain(const std::string &chain);

  /// Since the last call: chains that came before the elements that lead to them, into `change`;
  /// chains that went into `after` (kernels before 6.2 refuse them in the same commit).
  void take_changes(kernel::nft::Batch &change, kernel::nft::Batch &after);
  /// All of it is new to whoever asks next, or nothing is.
  void forget_changes();

  std::map<std::string, Elements> elements() const;
  std::map<std::string, std::vector<kernel::nft::Rule>> chains() const;

private:
  struct Counted {
    kernel::nft::Element element;
    std::size_t count = 0;
  };
  struct CountedChain {
    std::vector<kernel::nft::Rule> rules;
    std::size_t count = 0;
  };
  using Key = std::pair<std::string, kernel::nft::Value>;
  std::map<Key, Counted> elements_;
  std::map<std::string, CountedChain> chains_;
  // What stood there before the first change since the last take_changes.
  std::map<Key, std::optional<kernel::nft::Element>> before_;
  std::map<std::string, std::optional<std::vector<kernel::nft::Rule>>> chains_before_;
};

bool same_rules(const std::vector<kernel::nft::Rule> &a, const std::vector<kernel::nft::Rule> &b);

} // namespace sluice::proxy::ipvs
