#include "tools/layers.hpp"

#include <fstream>
#include <sstream>

namespace sluice::tools {
namespace {

namespace fs = std::filesystem;

const std::set<std::string> kAllParts = {
    "net",   "kernel", "ebpf", "kube", "cni/protocol", "ipam",   "cni",
    "proxy", "netpol", "node", "dns",  "controlplane", "podlet", "cluster",
};

std::set<std::string> all_parts_and(std::initializer_list<std::string> more) {
  auto all = kAllParts;
  all.insert(more);
  return all;
}

/// The path between the quotes of an include directive; empty for anything else.
std::string included_path(const std::string &line) {
  const auto hash = line.find_first_not_of(" \t");
  if (hash == std::string::npos || line.compare(hash, 1, "#") != 0)
    return {};
  const auto word = line.find("include", hash);
  const auto open = line.find('"', hash);
  if (word == std::string::npos || open == std::string::npos || open < word)
    return {};
  const auto close = line.find('"', open + 1);
  return close == std::string::npos ? std::string() : line.substr(open + 1, close - open - 1);
}

/// Two data planes never include each other: "proxy/<name>/" for each name but model.
std::string dataplane_of(const std::string &path) {
  for (const auto *name : {"iptables", "nftables", "ipvs", "ebpf"})
    if (path.rfind(std::string("proxy/") + name + "/", 0) == 0)
      return name;
  return {};
}

bool is_source(const fs::path &path) {
  const auto extension = path.extension();
  return extension == ".hpp" || extension == ".cpp" || extension == ".h" || extension == ".c";
}

bool is_outside(const std::string &first_folder) {
  return first_folder.rfind("build", 0) == 0 || first_folder.rfind('.', 0) == 0 ||
         first_folder == "cmake" || first_folder == "deploy" || first_folder == "docs";
}

} // namespace

const LayerTable &layers() {
  static const LayerTable table = {
      {"net", {}},
      {"kernel", {"net"}},
      {"ebpf", {"net", "kernel"}},
      {"kube", {"net"}},
      {"cni/protocol", {"net"}},
      {"ipam", {"net", "cni/protocol"}},
      {"cni", {"net", "kernel", "ipam", "cni/protocol"}},
      {"proxy", {"net", "kernel", "ebpf", "kube"}},
      {"netpol", {"net", "kernel", "kube"}},
      {"node", {"net", "kernel", "kube", "ipam", "cni", "cni/protocol"}},
      {"dns", {"net", "kube"}},
      {"controlplane", {"net", "kube"}},
      {"podlet", {"net", "kernel", "kube", "cni/protocol"}},
      {"cluster", {"net", "kernel", "kube"}},
      {"bench", kAllParts},
      {"cli", all_parts_and({"bench"})},
      {"integration", all_parts_and({"bench", "cli"})},
      {"tools", {"net"}},
  };
  return table;
}

std::string layer_of(const LayerTable &table, const std::string &file) {
  std::string best;
  for (const auto &[layer, unused] : table)
    if (file.rfind(layer + "/", 0) == 0 && layer.size() > best.size())
      best = layer;
  return best;
}

std::vector<std::string> violations(const LayerTable &table, const std::string &file,
                                    const std::string &text) {
  std::vector<std::string> found;
  const auto from = layer_of(table, file);
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const auto path = included_path(line);
    const auto to = layer_of(table, path);
    const auto where = file + ":" + std::to_string(number) + ": ";
    if (!to.empty() && to != from && table.at(from).count(to) == 0)
      found.push_back(where + from + "/ may not include " + path);
    const auto plane = dataplane_of(file), other = dataplane_of(path);
    if (!plane.empty() && !other.empty() && plane != other)
      found.push_back(where + "data plane " + plane + " may not include " + path);
  }
  return found;
}

Result<std::vector<std::string>> check_tree(const fs::path &root) {
  std::vector<std::string> found;
  std::error_code error;
  std::set<fs::path> sources; // sorted, so that equal trees give equal answers
  for (fs::recursive_directory_iterator at(root, error), end; !error && at != end;
       at.increment(error)) {
    const auto relative = at->path().lexically_relative(root);
    if (at->is_directory() && at.depth() == 0 && is_outside(relative.string()))
      at.disable_recursion_pending();
    else if (at->is_regular_file() && at.depth() > 0 && is_source(at->path()))
      sources.insert(relative);
  }
  if (error)
    return fail(Error::from_errno(error.value(), "walk " + root.string()));
  for (const auto &source : sources) {
    if (layer_of(layers(), source.string()).empty()) {
      found.push_back(source.string() + ": its folder has no row in the table of folders");
      continue;
    }
    std::ifstream in(root / source);
    std::ostringstream text;
    text << in.rdbuf();
    const auto of_file = violations(layers(), source.string(), text.str());
    found.insert(found.end(), of_file.begin(), of_file.end());
  }
  return found;
}

} // namespace sluice::tools
