// Feeds every file of a fuzz target's corpus to the target, without libFuzzer: what a fuzzer once
// found stays found. A file that breaks it aborts the program; its name is the last line.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t size);

TEST(corpus, every_file_is_replayed) {
  std::vector<std::filesystem::path> files;
  for (const auto &entry : std::filesystem::directory_iterator(SLUICE_CORPUS_DIR))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  EXPECT_FALSE(files.empty());
  for (const auto &file : files) {
    std::fprintf(stderr, "%s\n", file.c_str());
    std::ifstream in(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(
        LLVMFuzzerTestOneInput(reinterpret_cast<const unsigned char *>(text.data()), text.size()),
        0);
  }
}
