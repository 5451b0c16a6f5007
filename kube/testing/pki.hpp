#pragma once
// Throw-away certificates for tests, made with openssl(1) in a folder that goes away with the
// object.

#include <filesystem>
#include <string>

namespace sluice::kube::testing {

/// A new folder below the system's temporary one, removed with all that is in it.
class TempFolder {
public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder &) = delete;
  TempFolder &operator=(const TempFolder &) = delete;
  std::string path(const std::string &name) const { return (folder_ / name).string(); }
  /// Replaces the file in one step, as a mounted Secret is replaced; gives its path.
  std::string write(const std::string &name, const std::string &text) const;
  std::string read(const std::string &name) const;

private:
  std::filesystem::path folder_;
};

class Pki {
public:
  /// <name>.crt and <name>.key of a self-signed authority.
  void make_authority(const std::string &name) const;
  /// Signed by `authority`. `subject` as "/O=group/CN=user", `names` as "DNS:a,IP:127.0.0.1"
  /// (empty: a client certificate).
  void make_certificate(const std::string &name, const std::string &authority,
                        const std::string &subject, const std::string &names = "") const;
  std::string path(const std::string &name) const { return folder_.path(name); }
  std::string read(const std::string &name) const { return folder_.read(name); }
  const TempFolder &folder() const { return folder_; }

private:
  void openssl(const std::string &arguments) const;
  TempFolder folder_;
};

} // namespace sluice::kube::testing
