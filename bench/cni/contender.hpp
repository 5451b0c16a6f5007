#pragma once
// One plugin in a host namespace of its own, called as a runtime calls it.

#include "cni/protocol/exec.hpp"
#include "kernel/netns.hpp"

#include <optional>
#include <string>

namespace sluice::bench {

/// What is measured: a row of the table.
struct Kind {
  std::string name;    ///< in the table
  std::string group;   ///< rows of one group are compared with its first, ours
  std::string program; ///< its path
  std::string members; ///< of the configuration, each with a comma behind: "\"ipMasq\":true,"
  bool dual_stack = false;
  int pods = 0;  ///< that are there all the time
  int rules = 0; ///< of nft, somebody else's, in the host namespace
};

class Contender {
public:
  /// Ends the program if something is missing.
  explicit Contender(Kind kind);
  ~Contender();
  Contender(const Contender &) = delete;
  Contender &operator=(const Contender &) = delete;

  const Kind &kind() const noexcept { return kind_; }
  struct Done {
    double microseconds;     ///< from before the start of the process to after its end
    double cpu_microseconds; ///< of every child that ended meanwhile
    double page_faults;      ///< likewise
    std::string output;
  };
  /// A failure ends the program. From any thread; `id` is the pod's.
  Done add(int id, const kernel::NetNs &pod) const;
  Done del(int id, const kernel::NetNs &pod, const std::string &result) const;
  /// "52 | 4": system calls and netlink messages of one ADD, or why they are not known.
  std::string count_calls() const;

private:
  Done call(const std::string &program, cni::Command command, int id, const kernel::NetNs &pod,
            const std::string &config) const;
  void add_rules() const;
  Kind kind_;
  std::string config_, folder_;
  kernel::NetNs host_;
  std::vector<kernel::NetNs> present_;
};

/// <build>/bin, where our programs are.
std::string own_folder();

} // namespace sluice::bench
