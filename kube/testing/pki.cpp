#include "kube/testing/pki.hpp"

#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

namespace sluice::kube::testing {

namespace fs = std::filesystem;

TempFolder::TempFolder() {
  std::string pattern = (fs::temp_directory_path() / "slc-kube-XXXXXX").string();
  EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
  folder_ = pattern;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string TempFolder::write(const std::string &name, const std::string &text) const {
  const std::string fresh = path(name + ".new");
  std::ofstream(fresh, std::ios::binary) << text;
  fs::rename(fresh, path(name));
  return path(name);
}

std::string TempFolder::read(const std::string &name) const {
  std::stringstream text;
  text << std::ifstream(path(name), std::ios::binary).rdbuf();
  return text.str();
}

void Pki::openssl(const std::string &arguments) const {
  const std::string log = path("openssl.log");
  const std::string command = "cd " + path("") + " && openssl " + arguments + " >" + log + " 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << command << "\n" << folder_.read("openssl.log");
}

void Pki::make_authority(const std::string &name) const {
  openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=" + name +
          " -addext basicConstraints=critical,CA:TRUE -keyout " + name + ".key -out " + name +
          ".crt");
}

void Pki::make_certificate(const std::string &name, const std::string &authority,
                           const std::string &subject, const std::string &names) const {
  folder_.write(name + ".ext",
                names.empty() ? "extendedKeyUsage=clientAuth\n" : "subjectAltName=" + names + "\n");
  openssl("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj " + subject +
          " -keyout " + name + ".key -out " + name + ".csr");
  openssl("x509 -req -days 2 -in " + name + ".csr -CA " + authority + ".crt -CAkey " + authority +
          ".key -CAcreateserial -extfile " + name + ".ext -out " + name + ".crt");
}

} // namespace sluice::kube::testing
