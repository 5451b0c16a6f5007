#pragma once
// Finds one of many frontends in a few rules: a tree of chains that forks by four bits at a time.
//
// A chain with more than kBucket entries forks; its rules then only say where to go on. Addresses
// fork by their low bits first: those are what differs between the addresses of a range, and
// iptables takes any mask. Ports fork by protocol, then by their high bits: iptables takes ranges.
// Where all entries below agree in the next digits, the tree skips them: nf_tables follows 16 jumps
// and no more. A change touches the chains on one path.

#include "proxy/model/table.hpp"

namespace sluice::proxy::iptables {

class DispatchTree {
public:
  enum class By : std::uint8_t { address, port };
  static constexpr std::size_t kBucket = 16;

  /// `root`: the name of the first chain; the others are "<root>-<hexadecimal digits>".
  DispatchTree(Family family, By by, std::string root);

  // Both mark what changes; an entry that is there already, or is not, changes nothing.
  void insert(const Frontend &entry);
  void erase(const Frontend &entry);
  /// The rules of this entry change.
  void touch(const Frontend &entry) { mark_way(path_of(entry)); }

  /// The rules of an entry, in a chain where it is.
  using EntryRules = std::function<void(const Frontend &, std::vector<std::string> &rules)>;
  /// A chain's rules; nothing if there is no such chain. `path`: "" for the root. Entries of one
  /// address come by falling port.
  std::optional<std::vector<std::string>> rules(const std::string &path,
                                                const EntryRules &of_entry) const;
  std::string chain(const std::string &path) const;
  /// Of every chain, in order.
  std::vector<std::string> paths() const;
  /// What changed since the last call; a path among them may be gone, or never have been there.
  std::set<std::string> take_marked() { return std::exchange(marked_, {}); }

private:
  using Entry = std::pair<std::string, Frontend>; // path, and what is found there
  using Range = std::pair<std::set<Entry>::const_iterator, std::set<Entry>::const_iterator>;

  std::string path_of(const Frontend &entry) const;
  Range below(const std::string &path) const;
  std::size_t count_below(const std::string &path) const;
  bool forks(const std::string &path) const;
  std::optional<std::string> child(const std::string &path, char digit) const;
  std::vector<std::string> way_to(const std::string &path) const;
  void mark_way(const std::string &path);
  void mark_below(const std::string &path);
  std::string fork_rule(const std::string &path, char digit, const std::string &child) const;
  void collect(const std::string &path, std::vector<std::string> &out) const;

  Family family_;
  By by_;
  std::string root_;
  std::size_t depth_; ///< digits of a whole path
  std::set<Entry> entries_;
  std::set<std::string> marked_;
};

} // namespace sluice::proxy::iptables
