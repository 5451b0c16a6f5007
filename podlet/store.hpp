#pragma once
// What the podlet must know again after a restart, one folder a pod below <run-dir>/pods/<uid>:
//   state.json      this record         netns, mnt   kept namespaces (mnt is a bind mount)
//   hosts           the pod's /etc/hosts
//   serviceaccount  token, ca.crt, namespace
//   <container>.log what it wrote to stdout and stderr

#include "podlet/pod_state.hpp"

namespace sluice::podlet {

struct Record {
  std::string namespace_, name, uid;
  std::string sandbox_id;
  bool host_network = false;
  std::string netns;                ///< /run/netns/cni-<sandbox id>; empty with hostNetwork
  std::string cni_list, cni_result; ///< what ADD was run with and answered; empty before
  std::int64_t grace_seconds = 30;
  PodState state;
  friend bool operator==(const Record &, const Record &) = default;
};

std::string to_json(const Record &record);
/// Errors: invalid_input.
Result<Record> parse_record(std::string_view json);

class Store {
public:
  explicit Store(std::string folder) : folder_(std::move(folder)) {}
  std::string folder_of(const std::string &uid) const { return folder_ + "/" + uid; }
  /// Written as a whole; makes the pod's folder.
  Result<> save(const Record &record) const;
  /// Every record that can be read; a folder without one is named in `broken`.
  std::vector<Record> load_all(std::vector<std::string> &broken) const;
  /// With the folder. No error if it is gone.
  Result<> remove(const std::string &uid) const;

private:
  std::string folder_;
};

} // namespace sluice::podlet
