#include "tools/layers.hpp"

#include <gtest/gtest.h>

namespace sluice::tools {
namespace {

struct Case {
  const char *name, *file, *include;
  bool allowed;
  int line;
};

const Case kCases[] = {
    {"a folder includes itself", "kernel/rtnl.cpp", "kernel/rtnl.hpp", true, __LINE__},
    {"a folder includes what its row names", "kernel/rtnl.cpp", "net/result.hpp", true, __LINE__},
    {"net includes nobody", "net/result.cpp", "kernel/rtnl.hpp", false, __LINE__},
    {"kernel knows no Kubernetes", "kernel/nft/batch.cpp", "kube/objects.hpp", false, __LINE__},
    {"the proxy knows no CNI", "proxy/runner.cpp", "cni/plugin.hpp", false, __LINE__},
    {"ipam may use the protocol", "ipam/store.cpp", "cni/protocol/result.hpp", true, __LINE__},
    {"ipam may not use the plugin", "ipam/store.cpp", "cni/bridge.hpp", false, __LINE__},
    {"the protocol may not use the plugin", "cni/protocol/env.cpp", "cni/bridge.hpp", false,
     __LINE__},
    {"two data planes never meet", "proxy/ipvs/dataplane.cpp", "proxy/nftables/dataplane.hpp",
     false, __LINE__},
    {"a data plane uses the model", "proxy/ipvs/dataplane.cpp", "proxy/model/table.hpp", true,
     __LINE__},
    {"a library header is nobody's layer", "net/result.cpp", "nlohmann/json.hpp", true, __LINE__},
};

TEST(tools_layers, each_row_of_the_table_is_kept) {
  for (const auto &c : kCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto found =
        violations(layers(), c.file, std::string("#include \"") + c.include + "\"\n");
    EXPECT_EQ(found.empty(), c.allowed);
  }
}

TEST(tools_layers, a_violation_names_file_line_and_header) {
  const auto found = violations(layers(), "net/a.cpp",
                                "// net\n#include <map>\n#  include \"kube/objects.hpp\"\n");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0], "net/a.cpp:3: net/ may not include kube/objects.hpp");
}

TEST(tools_layers, a_name_in_a_comment_or_in_text_is_no_include) {
  EXPECT_TRUE(
      violations(layers(), "net/a.cpp", "// see \"kube/objects.hpp\"\nauto x = \"kube/y.hpp\";\n")
          .empty());
}

TEST(tools_layers, this_repository_keeps_the_order_of_its_folders) {
  const auto found = check_tree(SLUICE_SOURCE_DIR);
  ASSERT_TRUE(found) << found.error().what();
  for (const auto &sentence : *found)
    ADD_FAILURE() << sentence;
}

} // namespace
} // namespace sluice::tools
