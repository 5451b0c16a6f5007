#include "kube/credentials.hpp"

#include <cerrno>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

namespace sluice::kube {
namespace {

constexpr std::chrono::seconds kReadAgain(60);

Result<std::string> read_file(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  if (!file || !(text << file.rdbuf()))
    return fail(Error::from_errno(errno != 0 ? errno : EIO, "read \"" + path + "\""));
  return text.str();
}

std::string stamp_of(const std::string &path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    return "";
  return std::to_string(info.st_ino) + ":" + std::to_string(info.st_size) + ":" +
         std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec);
}

std::string trimmed(const std::string &text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  const auto last = text.find_last_not_of(" \t\r\n");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

} // namespace

Result<bool> Credentials::Source::refresh(bool even_if_unchanged) {
  if (from.file.empty())
    return false;
  std::string new_stamp = stamp_of(from.file);
  if (!even_if_unchanged && new_stamp == stamp)
    return false;
  SLUICE_ASSIGN(std::string new_text, read_file(from.file), "read credentials");
  stamp = std::move(new_stamp);
  const bool changed = new_text != text;
  text = std::move(new_text);
  return changed;
}

Credentials::Credentials(const ClientConfig &config, bool tls)
    : use_tls_(tls),
      verify_(!config.insecureSkipTlsVerify), authority_{config.certificateAuthority,
                                                         config.certificateAuthority.data, ""},
      certificate_{config.clientCertificate, config.clientCertificate.data, ""},
      key_{config.clientKey, config.clientKey.data, ""},
      token_{{"", config.tokenFile}, config.tokenFile.empty() ? config.token : "", ""} {}

Result<std::unique_ptr<Credentials>> Credentials::create(const ClientConfig &config, bool tls) {
  std::unique_ptr<Credentials> credentials(new Credentials(config, tls));
  SLUICE_TRY(credentials->refresh(true), "set up credentials");
  return credentials;
}

Result<> Credentials::refresh(bool even_if_unchanged) {
  SLUICE_TRY(token_.refresh(even_if_unchanged), "token");
  if (!use_tls_)
    return {};
  bool changed = false;
  for (Source *source : {&authority_, &certificate_, &key_}) {
    SLUICE_ASSIGN(const bool one_changed, source->refresh(even_if_unchanged), "certificate");
    changed = changed || one_changed;
  }
  if (!changed && tls_)
    return {};
  SLUICE_ASSIGN(tls_,
                http::TlsContext::client({authority_.text, certificate_.text, key_.text, verify_}),
                "read certificates");
  return {};
}

Credentials::Snapshot Credentials::now() {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  const bool all = now - read_at_ >= kReadAgain;
  if (all)
    read_at_ = now;
  // A certificate and its key are replaced one after the other: between the two the pair is wrong,
  // and what worked before goes on working.
  (void)refresh(all);
  return {trimmed(token_.text), tls_};
}

} // namespace sluice::kube
