#pragma once
// A folder that goes away with everything in it.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace sluice {

class TempFolder {
public:
  explicit TempFolder(const std::string &parent = "/tmp") : path_(parent + "/slc-test-XXXXXX") {
    ::mkdtemp(path_.data());
  }
  TempFolder(const TempFolder &) = delete;
  TempFolder &operator=(const TempFolder &) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string &path() const { return path_; }

private:
  std::string path_;
};

inline std::string file_content(const std::string &file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

inline void write_file(const std::string &file, const std::string &text) {
  std::ofstream(file, std::ios::binary) << text;
}

/// Names in the folder, sorted, between blanks.
inline std::string listing(const std::string &folder) {
  std::string text;
  std::vector<std::string> names;
  std::error_code missing;
  for (const auto &entry : std::filesystem::directory_iterator(folder, missing))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  for (const auto &name : names)
    text += (text.empty() ? "" : " ") + name;
  return text;
}

} // namespace sluice
