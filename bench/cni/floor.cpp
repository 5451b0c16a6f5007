// The least that an ADD or a DEL of one pod on a bridge can be: one static process that asks the
// kernel for what the specification and the benchmark's configuration demand, and nothing else:
// a veth whose port is in hairpin mode, the address kept in a file under a lock, its route,
// forwarding on, the pod's MAC told to the node in place of a gratuitous ARP, and a port that
// forwards when ADD answers (the reference plugins wait for that too). No configuration is parsed,
// nothing is checked, nothing is kept for GC, an error ends it. The plugins are measured against
// it.
//
// CNI_COMMAND, CNI_NETNS and CNI_CONTAINERID as a runtime sets them; FLOOR_DIR: the folder of the
// addresses. Pods are in 10.77.0.0/16 on the bridge cni0, which it makes.

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

[[noreturn]] void die(const char *what) {
  std::perror(what);
  std::_Exit(1);
}
int must(int result, const char *what) {
  if (result < 0)
    die(what);
  return result;
}

/// Netlink messages one after the other, sent together.
struct Batch {
  alignas(nlmsghdr) std::array<char, 4096> bytes{};
  unsigned length = 0;
  nlmsghdr *message = nullptr;

  void begin(unsigned type, unsigned flags, const void *header, unsigned size) {
    message = reinterpret_cast<nlmsghdr *>(bytes.data() + length);
    message->nlmsg_type = static_cast<__u16>(type);
    message->nlmsg_flags = static_cast<__u16>(NLM_F_REQUEST | flags);
    message->nlmsg_len = NLMSG_HDRLEN;
    length += NLMSG_HDRLEN;
    append(header, size);
  }
  void append(const void *data, unsigned size) {
    if (size > 0)
      std::memcpy(bytes.data() + length, data, size);
    length += NLMSG_ALIGN(size);
    message->nlmsg_len += NLMSG_ALIGN(size);
  }
  rtattr *put(unsigned type, const void *data, unsigned size) {
    auto *attribute = reinterpret_cast<rtattr *>(bytes.data() + length);
    const rtattr header{static_cast<unsigned short>(RTA_LENGTH(size)),
                        static_cast<unsigned short>(type)};
    append(&header, sizeof header);
    append(data, size);
    return attribute;
  }
  void close(rtattr *nest) {
    nest->rta_len =
        static_cast<unsigned short>(bytes.data() + length - reinterpret_cast<char *>(nest));
  }
  /// Sends all; the last one is acknowledged, and an error of any ends the program.
  void send(int socket) {
    message->nlmsg_flags |= NLM_F_ACK;
    must(static_cast<int>(::send(socket, bytes.data(), length, 0)), "send");
    alignas(nlmsghdr) std::array<char, 1024> answer;
    must(static_cast<int>(::recv(socket, answer.data(), answer.size(), 0)), "recv");
    const auto *error =
        static_cast<const nlmsgerr *>(NLMSG_DATA(reinterpret_cast<nlmsghdr *>(answer.data())));
    errno = -error->error;
    if (errno != 0)
      die("netlink");
    length = 0;
  }
};

int route_socket(unsigned groups) {
  const int fd = must(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "socket");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (groups != 0)
    must(::bind(fd, reinterpret_cast<sockaddr *>(&address), sizeof address), "bind");
  return fd;
}

int index_of(int socket, const char *name) {
  ifreq request{};
  std::strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
  return ::ioctl(socket, SIOCGIFINDEX, &request) == 0 ? request.ifr_ifindex : 0;
}

void name_of_host_link(char (&name)[IFNAMSIZ]) {
  std::snprintf(name, sizeof name, "veth%.10s", std::getenv("CNI_CONTAINERID"));
}

/// The first address after the last one that is free.
in_addr reserve(int folder) {
  const int lock = must(::openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600), "lock");
  must(::flock(lock, LOCK_EX), "flock");
  const int last =
      must(::openat(folder, "last_reserved_ip.0", O_RDWR | O_CREAT | O_CLOEXEC, 0600), "last");
  std::array<char, INET_ADDRSTRLEN> text{};
  in_addr ip{htonl(0x0a4d0001)};
  if (::read(last, text.data(), text.size() - 1) > 0)
    ::inet_pton(AF_INET, text.data(), &ip);
  int file = -1;
  for (int tries = 0; file < 0 && tries < 65000; ++tries) {
    ip.s_addr = htonl(0x0a4d0000 | ((ntohl(ip.s_addr) + 1) & 0xffff));
    if ((ntohl(ip.s_addr) & 0xff) < 2 || (ntohl(ip.s_addr) & 0xff) == 255)
      continue;
    ::inet_ntop(AF_INET, &ip, text.data(), text.size());
    file = ::openat(folder, text.data(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  }
  const char *id = std::getenv("CNI_CONTAINERID");
  must(static_cast<int>(::write(must(file, "address"), id, std::strlen(id))), "write");
  must(static_cast<int>(::pwrite(last, text.data(), std::strlen(text.data()), 0)), "write");
  return ip; // the lock goes with the process
}

void make_bridge(int socket) {
  Batch batch;
  ifinfomsg link{};
  link.ifi_flags = link.ifi_change = IFF_UP;
  batch.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
  batch.put(IFLA_IFNAME, "cni0", 5);
  auto *info = batch.put(IFLA_LINKINFO, nullptr, 0);
  batch.put(IFLA_INFO_KIND, "bridge", 6);
  batch.close(info);
  batch.send(socket);
  ifaddrmsg address{};
  address.ifa_family = AF_INET;
  address.ifa_prefixlen = 16;
  address.ifa_index = static_cast<unsigned>(index_of(socket, "cni0"));
  const in_addr gateway{htonl(0x0a4d0001)};
  batch.begin(RTM_NEWADDR, NLM_F_CREATE, &address, sizeof address);
  batch.put(IFA_LOCAL, &gateway, sizeof gateway);
  batch.send(socket);
}

void set_hairpin(Batch &batch, const char *name) {
  const ifinfomsg link{};
  const unsigned char on = 1;
  batch.begin(RTM_NEWLINK, 0, &link, sizeof link);
  batch.put(IFLA_IFNAME, name, static_cast<unsigned>(std::strlen(name) + 1));
  auto *info = batch.put(IFLA_LINKINFO, nullptr, 0);
  batch.put(IFLA_INFO_SLAVE_KIND, "bridge", 7);
  auto *data = batch.put(IFLA_INFO_SLAVE_DATA, nullptr, 0);
  batch.put(IFLA_BRPORT_MODE, &on, sizeof on);
  batch.close(data);
  batch.close(info);
}

using Mac = std::array<unsigned char, 6>;

Mac mac_of(in_addr ip) {
  Mac mac{2};
  std::memcpy(mac.data() + 2, &ip, sizeof ip);
  return mac;
}

void make_veth(int socket, int bridge, int pod, in_addr ip) {
  Batch batch;
  char name[IFNAMSIZ];
  name_of_host_link(name);
  const unsigned one = 1;
  ifinfomsg link{};
  link.ifi_flags = link.ifi_change = IFF_UP;
  batch.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
  batch.put(IFLA_IFNAME, name, static_cast<unsigned>(std::strlen(name) + 1));
  batch.put(IFLA_MASTER, &bridge, sizeof bridge);
  batch.put(IFLA_NUM_TX_QUEUES, &one, sizeof one);
  batch.put(IFLA_NUM_RX_QUEUES, &one, sizeof one);
  auto *info = batch.put(IFLA_LINKINFO, nullptr, 0);
  batch.put(IFLA_INFO_KIND, "veth", 4);
  auto *data = batch.put(IFLA_INFO_DATA, nullptr, 0);
  auto *peer = batch.put(VETH_INFO_PEER, nullptr, 0);
  const ifinfomsg end{};
  batch.append(&end, sizeof end);
  batch.put(IFLA_IFNAME, "eth0", 5);
  const Mac mac = mac_of(ip);
  batch.put(IFLA_ADDRESS, mac.data(), mac.size());
  batch.put(IFLA_NET_NS_FD, &pod, sizeof pod);
  batch.put(IFLA_NUM_TX_QUEUES, &one, sizeof one);
  batch.put(IFLA_NUM_RX_QUEUES, &one, sizeof one);
  batch.close(peer);
  batch.close(data);
  batch.close(info);
  set_hairpin(batch, name);
  ndmsg neighbour{};
  neighbour.ndm_family = AF_INET;
  neighbour.ndm_ifindex = bridge;
  neighbour.ndm_state = NUD_STALE;
  batch.begin(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &neighbour, sizeof neighbour);
  batch.put(NDA_DST, &ip, sizeof ip);
  batch.put(NDA_LLADDR, mac.data(), mac.size());
  batch.send(socket);
}

/// The kernel's link watcher would do it some time later.
void make_port_forward(int socket) {
  ethtool_value question{ETHTOOL_GLINK, 0};
  ifreq request{};
  name_of_host_link(request.ifr_name);
  request.ifr_data = reinterpret_cast<char *>(&question);
  must(::ioctl(socket, SIOCETHTOOL, &request), "SIOCETHTOOL");
}

void forward_packets() {
  const int file = must(::open("/proc/sys/net/ipv4/ip_forward", O_RDWR | O_CLOEXEC), "ip_forward");
  char on = '0';
  must(static_cast<int>(::read(file, &on, 1)), "ip_forward");
  if (on != '1')
    must(static_cast<int>(::pwrite(file, "1", 1, 0)), "ip_forward");
}

void set_up_pod(in_addr ip) {
  const int socket = route_socket(0);
  const int index = index_of(socket, "eth0");
  const in_addr gateway{htonl(0x0a4d0001)};
  Batch batch;
  ifinfomsg link{};
  link.ifi_index = index;
  link.ifi_flags = link.ifi_change = IFF_UP;
  batch.begin(RTM_NEWLINK, 0, &link, sizeof link);
  ifaddrmsg address{};
  address.ifa_family = AF_INET;
  address.ifa_prefixlen = 16;
  address.ifa_index = static_cast<unsigned>(index);
  batch.begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &address, sizeof address);
  batch.put(IFA_LOCAL, &ip, sizeof ip);
  rtmsg route{};
  route.rtm_family = AF_INET;
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_protocol = RTPROT_BOOT;
  route.rtm_type = RTN_UNICAST;
  batch.begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &route, sizeof route);
  batch.put(RTA_GATEWAY, &gateway, sizeof gateway);
  batch.put(RTA_OIF, &index, sizeof index);
  batch.send(socket);
}

void add(int folder) {
  const in_addr ip = reserve(folder);
  const int pod = must(::open(std::getenv("CNI_NETNS"), O_RDONLY | O_CLOEXEC), "CNI_NETNS");
  const int socket = route_socket(0);
  if (index_of(socket, "cni0") == 0)
    make_bridge(socket);
  forward_packets();
  make_veth(socket, index_of(socket, "cni0"), pod, ip);
  must(::setns(pod, CLONE_NEWNET), "setns");
  set_up_pod(ip);
  make_port_forward(socket);
  std::array<char, INET_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET, &ip, text.data(), text.size());
  std::printf(R"({"cniVersion":"1.0.0","ips":[{"address":"%s/16"}]})", text.data());
}

/// What the child that waits for the kernel's answer needs.
struct Removal {
  int socket, index;
  alignas(16) std::array<char, 16384> stack;
};

int remove_in_child(void *argument) {
  const auto &removal = *static_cast<Removal *>(argument);
  for (int fd = 0; fd < 3; ++fd)
    ::close(fd);
  struct {
    nlmsghdr header;
    ifinfomsg link;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_DELLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.link.ifi_index = removal.index;
  ::send(removal.socket, &request, sizeof request, 0);
  ::_exit(0);
}

void del(int folder, const char *config) {
  const int listener = route_socket(RTMGRP_LINK);
  char name[IFNAMSIZ];
  name_of_host_link(name);
  void *pages =
      ::mmap(nullptr, sizeof(Removal), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  auto *removal = static_cast<Removal *>(pages);
  removal->socket = route_socket(0);
  removal->index = index_of(listener, name);
  must(::clone(remove_in_child, removal->stack.data() + removal->stack.size(), CLONE_VM, removal),
       "clone");
  for (bool gone = false; !gone;) {
    alignas(nlmsghdr) std::array<char, 16384> buffer;
    auto left = static_cast<unsigned>(
        must(static_cast<int>(::recv(listener, buffer.data(), buffer.size(), 0)), "recv"));
    for (auto *message = reinterpret_cast<nlmsghdr *>(buffer.data()); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      const auto *link = static_cast<const ifinfomsg *>(NLMSG_DATA(message));
      gone = gone || (message->nlmsg_type == RTM_DELLINK && link->ifi_family == AF_UNSPEC &&
                      link->ifi_index == removal->index);
    }
  }
  const int lock = must(::openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600), "lock");
  must(::flock(lock, LOCK_EX), "flock");
  std::array<char, 64> ip{};
  if (const char *at = std::strstr(config, R"("address":")"); at != nullptr)
    std::sscanf(at + 11, "%63[0-9.]", ip.data());
  must(::unlinkat(folder, ip.data(), 0), "unlink");
}

} // namespace

int main() {
  std::array<char, 16384> config{};
  std::size_t length = 0;
  for (ssize_t got = 1; got > 0 && length < config.size() - 1;
       length += static_cast<std::size_t>(got))
    got = must(static_cast<int>(::read(0, config.data() + length, config.size() - 1 - length)),
               "stdin");
  const int folder =
      must(::open(std::getenv("FLOOR_DIR"), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "FLOOR_DIR");
  if (std::strcmp(std::getenv("CNI_COMMAND"), "ADD") == 0)
    add(folder);
  else
    del(folder, config.data());
  return 0;
}
