#include "ipam/store.hpp"

#include "ipam/record_index.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sluice::ipam {

using cni::CniError;
using cni::Code;
using cni::Outcome;

namespace {

constexpr const char *kLockName = "lock";
constexpr std::size_t kMaxIndexBytes = 64UL * 1024 * 1024;
/// Lines of the index that say nothing any more, before it is written anew.
constexpr std::size_t kSpareLines = 128;
constexpr std::string_view kLineBreak = "\r\n";

CniError io_error(int err, const std::string &doing) {
  return {Code::io, Error::from_errno(err, doing).what()};
}

std::string_view trimmed(std::string_view text) noexcept {
  constexpr std::string_view kBlank = " \t\r\n\v\f";
  const auto begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos)
    return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

/// As mkdir -p.
bool make_folders(const std::string &folder) {
  for (std::size_t end = 0; end != std::string::npos;) {
    end = folder.find('/', end + 1);
    if (::mkdir(folder.substr(0, end).c_str(), 0755) != 0 && errno != EEXIST)
      return false;
  }
  return true;
}

/// A record is short: id, line break, interface name. What is longer is none of ours.
std::string read_some(const UniqueFd &file) {
  std::array<char, 1024> buffer;
  const auto got = file ? ::read(file.get(), buffer.data(), buffer.size()) : -1;
  return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : std::string();
}

std::string read_small(int folder, const char *name) {
  return read_some(UniqueFd(::openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK)));
}

struct CloseDir {
  void operator()(DIR *dir) const noexcept { ::closedir(dir); }
};

std::string last_name(std::size_t set) { return "last_reserved_ip." + std::to_string(set); }

Outcome<UniqueFd> take_lock(int directory, const std::string &folder) {
  UniqueFd lock(::openat(directory, kLockName, O_CREAT | O_RDONLY | O_CLOEXEC, 0750));
  if (!lock)
    return fail(io_error(errno, "open \"" + folder + "/lock\""));
  while (::flock(lock.get(), LOCK_EX) != 0)
    if (errno != EINTR)
      return fail(io_error(errno, "lock \"" + folder + "/lock\""));
  return lock;
}

UniqueFd open_folder(const std::string &folder) {
  return UniqueFd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

} // namespace

Record parse_record(const IpAddress &ip, std::string_view content) {
  content = trimmed(content);
  const auto line = content.find_first_of(kLineBreak);
  Record record{ip, std::string(trimmed(content.substr(0, line))), {}};
  if (line != std::string_view::npos)
    record.ifname = trimmed(content.substr(line));
  if (!cni::is_valid_id(record.container_id))
    record.container_id.clear();
  return record;
}

Outcome<Store> Store::open(const std::string &folder) {
  UniqueFd directory = open_folder(folder);
  if (!directory && errno == ENOENT && make_folders(folder))
    directory = open_folder(folder);
  if (!directory)
    return fail(io_error(errno, "open the address store \"" + folder + "\""));
  SLUICE_TAKE(auto lock, take_lock(directory.get(), folder));
  return Store(folder, std::move(directory), std::move(lock));
}

Outcome<std::optional<Store>> Store::open_existing(const std::string &folder) {
  UniqueFd directory = open_folder(folder);
  if (!directory && errno == ENOENT)
    return std::optional<Store>{};
  if (!directory)
    return fail(io_error(errno, "open the address store \"" + folder + "\""));
  SLUICE_TAKE(auto lock, take_lock(directory.get(), folder));
  return std::optional<Store>(Store(folder, std::move(directory), std::move(lock)));
}

void Store::load_index() {
  struct stat folder {
  }, file{};
  index_.reset(::openat(directory_.get(), kIndexName, O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!index_ || ::fstat(directory_.get(), &folder) != 0 || ::fstat(index_.get(), &file) != 0 ||
      static_cast<std::size_t>(file.st_size) > kMaxIndexBytes)
    return;
  std::string text(static_cast<std::size_t>(file.st_size), '\0');
  const auto got = ::pread(index_.get(), text.data(), text.size(), 0);
  if (got == static_cast<ssize_t>(text.size()) && is_stamped(text, folder.st_mtim))
    indexed_ = std::move(text);
}

std::optional<std::vector<Record>> Store::find_by_index(const cni::Attachment &attachment) {
  if (indexed_.empty())
    load_index();
  if (indexed_.empty())
    return std::nullopt;
  std::vector<Record> found;
  for (const auto &ip : find_indexed(indexed_, attachment)) {
    found.push_back(parse_record(ip, read_small(directory_.get(), ip.str().c_str())));
    if (!found.back().belongs_to(attachment))
      return std::nullopt;
  }
  return found;
}

Outcome<> Store::scan() {
  // fdopendir(3) takes the descriptor over and leaves its offset anywhere: it gets one of its own.
  UniqueFd own = open_folder(folder_);
  const std::unique_ptr<DIR, CloseDir> dir(own ? ::fdopendir(own.get()) : nullptr);
  if (!dir)
    return fail(io_error(errno, "list the address store \"" + folder_ + "\""));
  (void)own.release();
  records_.clear();
  while (const dirent *entry = ::readdir(dir.get()))
    if (const auto ip = IpAddress::parse(entry->d_name))
      records_.push_back(parse_record(*ip, read_small(directory_.get(), entry->d_name)));
  std::sort(records_.begin(), records_.end(),
            [](const Record &a, const Record &b) { return a.ip < b.ip; });
  scanned_ = true;
  return {};
}

void Store::save_index() {
  if (!scanned_ && changes_.empty())
    return;
  auto records = scanned_ ? std::optional(records_) : std::nullopt;
  if (!scanned_ && is_worn(indexed_))
    records = parse_index(indexed_ + changes_);
  if (!scanned_ && !records) {
    (void)write_index(changes_, indexed_.size());
    return;
  }
  if (!index_)
    index_.reset(
        ::openat(directory_.get(), kIndexName, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (auto text = index_text(*records); text && index_)
    (void)write_index(std::move(*text), 0);
}

bool Store::write_index(std::string text, std::size_t offset) {
  timespec stamp{};
  if (::clock_gettime(CLOCK_REALTIME, &stamp) != 0)
    return false;
  stamp.tv_sec -= 1; // no clock gives this time to the folder again
  text += stamp_line(stamp);
  const auto end = static_cast<off_t>(offset + text.size());
  const std::array<timespec, 2> times = {{{0, UTIME_OMIT}, stamp}};
  return ::pwrite(index_.get(), text.data(), text.size(), static_cast<off_t>(offset)) ==
             static_cast<ssize_t>(text.size()) &&
         (offset != 0 || ::ftruncate(index_.get(), end) == 0) &&
         ::futimens(directory_.get(), times.data()) == 0;
}

Outcome<bool> Store::reserve(const IpAddress &ip, const cni::Attachment &attachment) {
  const auto name = ip.str();
  const UniqueFd file(
      ::openat(directory_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file && errno == EEXIST)
    return false;
  if (!file)
    return fail(io_error(errno, "reserve \"" + folder_ + "/" + name + "\""));
  const auto content = attachment.container_id + std::string(kLineBreak) + attachment.ifname;
  const auto written = ::write(file.get(), content.data(), content.size());
  if (written != static_cast<ssize_t>(content.size())) {
    const int err = written < 0 ? errno : ENOSPC;
    ::unlinkat(directory_.get(), name.c_str(), 0);
    return fail(io_error(err, "write \"" + folder_ + "/" + name + "\""));
  }
  records_.push_back({ip, attachment.container_id, attachment.ifname});
  changes_ += added_line(records_.back());
  return true;
}

Outcome<> Store::release(const IpAddress &ip) {
  const auto name = ip.str();
  if (::unlinkat(directory_.get(), name.c_str(), 0) != 0 && errno != ENOENT)
    return fail(io_error(errno, "remove \"" + folder_ + "/" + name + "\""));
  records_.erase(std::remove_if(records_.begin(), records_.end(),
                                [&](const Record &record) { return record.ip == ip; }),
                 records_.end());
  changes_ += removed_line(ip);
  return {};
}

std::optional<IpAddress> Store::last_reserved(std::size_t set) {
  auto &file = last_[set];
  file.fd.reset(::openat(directory_.get(), last_name(set).c_str(), O_RDWR | O_CLOEXEC));
  const auto text = read_some(file.fd);
  file.bytes = text.size();
  const auto ip = IpAddress::parse(trimmed(text));
  return ip ? std::optional<IpAddress>(*ip) : std::nullopt;
}

Outcome<> Store::set_last_reserved(std::size_t set, const IpAddress &ip) {
  const auto name = last_name(set);
  const auto text = ip.str();
  auto &file = last_[set];
  if (!file.fd)
    file.fd.reset(::openat(directory_.get(), name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  // Not O_TRUNC: ext4 answers a truncation to nothing with a flush at close.
  if (!file.fd ||
      ::pwrite(file.fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
      (file.bytes > text.size() &&
       ::ftruncate(file.fd.get(), static_cast<off_t>(text.size())) != 0))
    return fail(io_error(errno, "write \"" + folder_ + "/" + name + "\""));
  file.bytes = text.size();
  return {};
}

} // namespace sluice::ipam
