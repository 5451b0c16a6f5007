#include "bench/proxy/kube_proxy_shape.hpp"

#include "net/ip_address.hpp"

#include <cstdio>

namespace sluice::bench {
namespace {

std::string chain_of(std::uint32_t service) { return "service-" + std::to_string(service); }

std::string pick_rule(std::uint32_t service, std::uint32_t endpoints, std::uint32_t last) {
  std::string text = "add rule ip kp " + chain_of(service) +
                     " ip protocol tcp dnat ip to numgen random mod " + std::to_string(endpoints) +
                     " map { ";
  for (std::uint32_t e = 0; e < endpoints; ++e) {
    const auto number = e + 1 == endpoints ? last : service * endpoints + e + 1;
    text += (e == 0 ? "" : ", ") + std::to_string(e) + " : " +
            IpAddress::from_v4(0x0a800000 + number).str() + " . 8080";
  }
  return text + " }\n";
}

} // namespace

Result<> KubeProxyShape::run_nft(const std::string &script) const {
  return ns_.run([&]() -> Result<> {
    FILE *pipe = ::popen("exec nft -f -", "w");
    if (pipe == nullptr)
      return fail(Error::from_errno(errno, "run nft"));
    std::fwrite(script.data(), 1, script.size(), pipe);
    if (::pclose(pipe) != 0)
      return fail(Errc::kernel, "nft refused the script");
    return {};
  });
}

Result<KubeProxyShape> KubeProxyShape::load(kernel::NetNs ns, std::uint32_t services,
                                            std::uint32_t endpoints) {
  KubeProxyShape shape(std::move(ns), endpoints);
  std::string script =
      "add table ip kp\n"
      "add map ip kp service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
      "add chain ip kp services\n"
      "add chain ip kp nat-prerouting { type nat hook prerouting priority -100; }\n"
      "add rule ip kp nat-prerouting jump services\n"
      "add rule ip kp services ip daddr . meta l4proto . th dport vmap @service-ips\n";
  for (std::uint32_t service = 0; service < services; ++service) {
    script += "add chain ip kp " + chain_of(service) + "\n" +
              pick_rule(service, endpoints, (service + 1) * endpoints) +
              "add element ip kp service-ips { " + IpAddress::from_v4(0x0a600001 + service).str() +
              " . tcp . 80 : goto " + chain_of(service) + " }\n";
    if (service % 500 == 499 || service + 1 == services) {
      SLUICE_TRY(shape.run_nft(script), "load kube-proxy's shape");
      script.clear();
    }
  }
  return shape;
}

Result<> KubeProxyShape::change_one(std::uint32_t service, std::uint32_t new_endpoint) const {
  return run_nft("flush chain ip kp " + chain_of(service) + "\n" +
                 pick_rule(service, endpoints_, new_endpoint));
}

} // namespace sluice::bench
