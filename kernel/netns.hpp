#pragma once
// Network namespaces as handles. Works with a descriptor; moves no thread of the caller.

#include "net/result.hpp"
#include "net/unique_fd.hpp"

#include <functional>
#include <optional>
#include <string>

namespace sluice::kernel {

/// Holds a network namespace open. Move-only. Thread-safe for const use.
///
/// A netlink or IP socket keeps the namespace it was made in: open sockets inside `run`, use them
/// from anywhere afterwards.
class NetNs {
public:
  /// Opens a namespace by path (/run/netns/x, /proc/<pid>/ns/net). Errors: not_found; invalid_input
  /// if the path is no network namespace.
  static Result<NetNs> open(const std::string &path);
  /// The namespace of the calling thread.
  static Result<NetNs> current();
  /// A new anonymous namespace with its loopback up; it lives as long as this handle or a process
  /// inside it. Made by unshare(2) on a thread that ends. Needs CAP_SYS_ADMIN.
  static Result<NetNs> create();
  /// A new namespace kept by a bind mount at `path` (made, with its parent folder), as `ip netns
  /// add` does, so that `ip netns exec` sees it when the folder is /run/netns. Loopback is up.
  /// already_exists if the path is taken.
  static Result<NetNs> create_named(const std::string &path);
  /// Undoes `create_named`: unmounts and removes `path`. No error if it does not exist.
  static Result<> remove_named(const std::string &path);

  /// Runs `fn` on a thread inside the namespace and returns what it returns (a Result). Costs about
  /// 0.1 ms. `fn` must not throw.
  template <class Fn> auto run(Fn fn) const -> decltype(fn()) {
    std::optional<decltype(fn())> out;
    if (auto entered = run_on_thread([&] { out = fn(); }); !entered)
      return fail(std::move(entered.error()));
    return std::move(*out);
  }
  /// Moves the calling thread into the namespace for good (for daemons and child processes that
  /// have not started other threads).
  Result<> enter() const;

  int fd() const noexcept { return fd_.get(); }
  /// Identifies the namespace: two handles are of one namespace iff their inodes are equal.
  std::uint64_t inode() const noexcept { return inode_; }

private:
  NetNs(UniqueFd fd, std::uint64_t inode) noexcept : fd_(std::move(fd)), inode_(inode) {}
  Result<> run_on_thread(const std::function<void()> &fn) const;
  UniqueFd fd_;
  std::uint64_t inode_ = 0;
};

} // namespace sluice::kernel
