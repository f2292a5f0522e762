#include "os/linux/port_records.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>

#include "os/linux/file_descriptor.h"

namespace usbtwin::os {

using app::UsbIpDevice;

namespace {

constexpr size_t kLengthMax = 1024;  // bytes of a record; usbip reads no more than that either
constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kBlanks = " \t\r\n";

// Up to the next blank, which is taken as well.
std::string_view TakeWord(std::string_view& text) {
  const size_t length = std::min(text.find_first_of(kBlanks), text.size());
  const std::string_view word = text.substr(0, length);
  text.remove_prefix(std::min(length + 1, text.size()));
  return word;
}

}  // namespace

void PortRecords::Write(uint32_t port, const UsbIpDevice& origin) const {
  const bool is_unix = origin.host.empty();
  const std::string host = is_unix ? std::string(kUnix) + origin.socket_path : origin.host;
  std::string text = host;
  text.append(" ").append(std::to_string(is_unix ? 0 : origin.port));
  text.append(" ").append(origin.bus_id).append("\n");
  Remove(port);
  if (host.find_first_of(kBlanks) != std::string::npos || text.size() > kLengthMax) return;
  mkdir(folder_.c_str(), 0700);
  const FileDescriptor fd(
      open(path(port).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return;
  const ssize_t written = write(fd.get(), text.data(), text.size());
  if (written != static_cast<ssize_t>(text.size())) Remove(port);
}

std::optional<UsbIpDevice> PortRecords::Read(uint32_t port) const {
  const FileDescriptor fd(open(path(port).c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return std::nullopt;
  std::array<char, kLengthMax> room;
  const ssize_t length = read(fd.get(), room.data(), room.size());
  if (length <= 0) return std::nullopt;
  std::string_view text(room.data(), static_cast<size_t>(length));
  const std::string_view host = TakeWord(text);
  const std::string_view service = TakeWord(text);
  UsbIpDevice device;
  device.bus_id = TakeWord(text);
  const auto [end, error] =
      std::from_chars(service.data(), service.data() + service.size(), device.port);
  const bool is_number = error == std::errc() && end == service.data() + service.size();
  if (host.empty() || !is_number || device.bus_id.empty()) return std::nullopt;
  if (host.starts_with(kUnix)) {
    device.socket_path = host.substr(kUnix.size());
  } else {
    device.host = host;
  }
  return device;
}

void PortRecords::Remove(uint32_t port) const {
  unlink(path(port).c_str());
}

}  // namespace usbtwin::os
