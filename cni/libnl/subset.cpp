// The functions of libnl-3 that the CNI program calls, once more. libnl's own are one object with
// its addresses, caches and sockets, and those bring glibc's name resolution: 280 KB of a static
// program that lives for two milliseconds. The contracts are those of <netlink/attr.h> and
// <netlink/msg.h>; tests/subset_test.cpp runs against this file and against libnl.
//
// A function that is missing here takes libnl's object in and the linker says "multiple
// definition": add it.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>

namespace {

constexpr std::size_t kMessageBytes = 4096; // libnl: a page

template <class Number> Number number_in(const nlattr *attribute) {
  Number value{};
  if (nla_len(attribute) >= static_cast<int>(sizeof value))
    std::memcpy(&value, nla_data(attribute), sizeof value);
  return value;
}

template <class Visit> void for_each_attribute(const nlattr *first, int left, Visit visit) {
  for (auto *at = const_cast<nlattr *>(first); nla_ok(at, left) != 0; at = nla_next(at, &left))
    visit(at, nla_type(at));
}

} // namespace

extern "C" {

struct nl_msg {
  alignas(nlmsghdr) char bytes[kMessageBytes];
};

nl_msg *nlmsg_alloc_simple(int type, int flags) {
  auto *message = static_cast<nl_msg *>(std::malloc(sizeof(nl_msg)));
  if (message != nullptr) {
    *nlmsg_hdr(message) = {};
    nlmsg_hdr(message)->nlmsg_len = NLMSG_HDRLEN;
    nlmsg_hdr(message)->nlmsg_type = static_cast<std::uint16_t>(type);
    nlmsg_hdr(message)->nlmsg_flags = static_cast<std::uint16_t>(flags);
  }
  return message;
}

void nlmsg_free(nl_msg *message) { std::free(message); }

nlmsghdr *nlmsg_hdr(nl_msg *message) { return reinterpret_cast<nlmsghdr *>(message->bytes); }

int nlmsg_append(nl_msg *message, void *data, std::size_t length, int pad) {
  auto &header = *nlmsg_hdr(message);
  const auto align = std::max(static_cast<std::size_t>(pad), std::size_t{1});
  const auto padded = (length + align - 1) / align * align;
  if (padded > kMessageBytes - header.nlmsg_len)
    return -NLE_NOMEM;
  if (length > 0)
    std::memcpy(message->bytes + header.nlmsg_len, data, length);
  std::memset(message->bytes + header.nlmsg_len + length, 0, padded - length);
  header.nlmsg_len += static_cast<std::uint32_t>(padded);
  return 0;
}

void *nlmsg_data(const nlmsghdr *header) {
  return const_cast<char *>(reinterpret_cast<const char *>(header)) + NLMSG_HDRLEN;
}

int nlmsg_valid_hdr(const nlmsghdr *header, int header_bytes) {
  return header->nlmsg_len >= static_cast<std::uint32_t>(NLMSG_LENGTH(header_bytes)) ? 1 : 0;
}

nlattr *nlmsg_attrdata(const nlmsghdr *header, int header_bytes) {
  return reinterpret_cast<nlattr *>(static_cast<char *>(nlmsg_data(header)) +
                                    NLMSG_ALIGN(header_bytes));
}

int nlmsg_attrlen(const nlmsghdr *header, int header_bytes) {
  return std::max(static_cast<int>(header->nlmsg_len) - static_cast<int>(NLMSG_HDRLEN) -
                      static_cast<int>(NLMSG_ALIGN(header_bytes)),
                  0);
}

int nlmsg_parse(nlmsghdr *header, int header_bytes, nlattr *table[], int max,
                const nla_policy *policy) {
  if (nlmsg_valid_hdr(header, header_bytes) == 0)
    return -NLE_MSG_TOOSHORT;
  return nla_parse(table, max, nlmsg_attrdata(header, header_bytes),
                   nlmsg_attrlen(header, header_bytes), policy);
}

int nla_put(nl_msg *message, int type, int length, const void *data) {
  auto &header = *nlmsg_hdr(message);
  const auto size = sizeof(nlattr) + static_cast<std::size_t>(length);
  if (length < 0 || size > UINT16_MAX || NLA_ALIGN(size) > kMessageBytes - header.nlmsg_len)
    return -NLE_NOMEM;
  char *at = message->bytes + header.nlmsg_len;
  const nlattr attribute{static_cast<std::uint16_t>(size), static_cast<std::uint16_t>(type)};
  std::memcpy(at, &attribute, sizeof attribute);
  if (length > 0)
    std::memcpy(at + sizeof attribute, data, static_cast<std::size_t>(length));
  std::memset(at + size, 0, NLA_ALIGN(size) - size);
  header.nlmsg_len += static_cast<std::uint32_t>(NLA_ALIGN(size));
  return 0;
}

int nla_put_u8(nl_msg *message, int type, std::uint8_t value) {
  return nla_put(message, type, sizeof value, &value);
}

int nla_put_u32(nl_msg *message, int type, std::uint32_t value) {
  return nla_put(message, type, sizeof value, &value);
}

int nla_put_string(nl_msg *message, int type, const char *text) {
  return nla_put(message, type, static_cast<int>(std::strlen(text)) + 1, text);
}

nlattr *nla_nest_start(nl_msg *message, int type) {
  auto *start = reinterpret_cast<nlattr *>(message->bytes + nlmsg_hdr(message)->nlmsg_len);
  return nla_put(message, type | NLA_F_NESTED, 0, nullptr) < 0 ? nullptr : start;
}

int nla_nest_end(nl_msg *message, nlattr *start) {
  auto &header = *nlmsg_hdr(message);
  const auto length = message->bytes + header.nlmsg_len - reinterpret_cast<char *>(start);
  if (length == sizeof(nlattr)) { // an empty nest is left out
    std::memset(start, 0, sizeof(nlattr));
    header.nlmsg_len -= static_cast<std::uint32_t>(sizeof(nlattr));
  } else {
    start->nla_len = static_cast<std::uint16_t>(length); // a message is no longer than a page
  }
  return 0;
}

int nla_ok(const nlattr *attribute, int left) {
  const bool whole = left >= static_cast<int>(sizeof(nlattr)) &&
                     attribute->nla_len >= sizeof(nlattr) && attribute->nla_len <= left;
  return whole ? 1 : 0;
}

nlattr *nla_next(const nlattr *attribute, int *left) {
  const int step = NLA_ALIGN(attribute->nla_len);
  *left -= step;
  return reinterpret_cast<nlattr *>(reinterpret_cast<char *>(const_cast<nlattr *>(attribute)) +
                                    step);
}

int nla_type(const nlattr *attribute) { return attribute->nla_type & NLA_TYPE_MASK; }

int nla_len(const nlattr *attribute) {
  return attribute->nla_len - static_cast<int>(sizeof(nlattr));
}

void *nla_data(const nlattr *attribute) { return const_cast<nlattr *>(attribute) + 1; }

std::uint8_t nla_get_u8(const nlattr *attribute) { return number_in<std::uint8_t>(attribute); }
std::uint16_t nla_get_u16(const nlattr *attribute) { return number_in<std::uint16_t>(attribute); }
std::uint32_t nla_get_u32(const nlattr *attribute) { return number_in<std::uint32_t>(attribute); }
std::uint64_t nla_get_u64(const nlattr *attribute) { return number_in<std::uint64_t>(attribute); }

char *nla_get_string(const nlattr *attribute) { return static_cast<char *>(nla_data(attribute)); }

int nla_memcpy(void *into, const nlattr *attribute, int count) {
  if (attribute == nullptr)
    return 0;
  const int length = std::min(count, nla_len(attribute));
  std::memcpy(into, nla_data(attribute), static_cast<std::size_t>(length));
  return length;
}

nlattr *nla_find(const nlattr *first, int length, int type) {
  nlattr *found = nullptr;
  for_each_attribute(first, length, [&](nlattr *attribute, int is) {
    if (found == nullptr && is == type)
      found = attribute;
  });
  return found;
}

int nla_parse(nlattr *table[], int max, nlattr *first, int length, const nla_policy *) {
  std::fill_n(table, max + 1, nullptr);
  for_each_attribute(first, length, [&](nlattr *attribute, int type) {
    if (type <= max)
      table[type] = attribute;
  });
  return 0;
}

int nla_parse_nested(nlattr *table[], int max, nlattr *nest, const nla_policy *policy) {
  return nla_parse(table, max, static_cast<nlattr *>(nla_data(nest)), nla_len(nest), policy);
}

} // extern "C"
