#include "os/linux/vhci.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <set>

#include "base/text.h"
#include "os/linux/file_descriptor.h"
#include "os/linux/port_records.h"
#include "os/linux/system.h"
#include "os/linux/vhci_status.h"
#include "os/linux/worker.h"
#include "proto/usbip_ops.h"
#include "wire/usbip.h"

namespace usbtwin::os {

using app::Failure;

namespace {

constexpr int kControllersMax = 128;  // VHCI_HCD_N_PORTS_MAX
constexpr size_t kFileLengthMax = 1 << 16;

constexpr char kNoVhci[] =
    "this kernel has no virtual USB ports: load them with \"modprobe vhci_hcd\" as root. Where "
    "there is no such module, install the one for this kernel (Debian: the linux-image package "
    "without -cloud-), or build a kernel with CONFIG_USBIP_VHCI_HCD";

class SysfsFolder final : public SystemFiles {
 public:
  explicit SysfsFolder(std::string folder) : folder_(std::move(folder)) {}

  Result<std::string, int> Read(const std::string& name) const override {
    const FileDescriptor fd(open(path(name).c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return errno;
    std::string text(kFileLengthMax, '\0');
    size_t length = 0;
    while (length < text.size()) {
      const ssize_t count = read(fd.get(), text.data() + length, text.size() - length);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return errno;
      if (count == 0) break;
      length += static_cast<size_t>(count);
    }
    text.resize(length);
    return text;
  }
  int Write(const std::string& name, const std::string& text) override {
    const FileDescriptor fd(open(path(name).c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) return errno;
    while (write(fd.get(), text.data(), text.size()) < 0) {
      if (errno != EINTR) return errno;
    }
    return 0;
  }
  std::string path(const std::string& name) const override { return folder_ + "/" + name; }

 private:
  const std::string folder_;
};

bool Exists(const std::string& path) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0;
}

const VirtualPort* Find(const std::vector<VirtualPort>& ports, uint32_t number) {
  const auto found = std::find_if(ports.begin(), ports.end(), [number](const VirtualPort& port) {
    return port.number == number;
  });
  return found == ports.end() ? nullptr : &*found;
}

Failure NoneIsFree(const std::vector<VirtualPort>& ports, usb::Speed speed,
                   bool refused_as_unready) {
  const PortHub hub = HubOf(speed);
  const auto count = [&](auto fits) {
    return std::count_if(ports.begin(), ports.end(), [&](const VirtualPort& port) {
      return port.hub == hub && fits(port.state);
    });
  };
  const auto all = count([](PortState) { return true; });
  const std::string kind = std::string(usb::Name(speed)) + " speed";
  std::string text;
  if (all == 0) {
    text = "the virtual ports of this kernel do not take " + kind +
           ": open the device at a lower one (speed=high), or take a newer kernel";
  } else if (refused_as_unready ||
             count([](PortState state) { return state != PortState::kNotReady; }) == 0) {
    text = "the virtual USB ports of this kernel are not ready yet: try again";
  } else {
    text = "all " + Count(static_cast<uint64_t>(all), "virtual port") + " for " + kind +
           " are taken: usbtwin ports lists them, usbtwin detach frees one";
  }
  return {Failure::Kind::kCannotOpen, std::move(text)};
}

}  // namespace

std::unique_ptr<SystemFiles> MakeSystemFiles(std::string folder) {
  return std::make_unique<SysfsFolder>(std::move(folder));
}

std::unique_ptr<SystemFiles> MakeVhciFiles() {
  const std::string folder = "/sys/devices/platform/vhci_hcd";
  // Kernels that knew one controller only gave it no number.
  return MakeSystemFiles(Exists(folder + "/status") ? folder : folder + ".0");
}

Result<std::vector<VirtualPort>, Failure> Vhci::List() const {
  std::vector<VirtualPort> ports;
  for (int controller = 0; controller < kControllersMax; ++controller) {
    const std::string name = controller == 0 ? "status" : "status." + std::to_string(controller);
    const Result<std::string, int> text = files_.Read(name);
    if (!text && text.error() == ENOENT) {
      if (controller == 0) return Failure{Failure::Kind::kCannotOpen, kNoVhci};
      break;
    }
    if (!text) {
      return Failure{Failure::Kind::kCannotOpen,
                     "cannot read " + files_.path(name) + ": " + ErrorText(text.error())};
    }
    const Result<void, std::string> parsed = ParseVhciStatus(*text, ports);
    if (!parsed) {
      return Failure{
          Failure::Kind::kCannotOpen,
          files_.path(name) + " has a line that makes no sense: " + Quote(parsed.error())};
    }
  }
  std::sort(ports.begin(), ports.end(), [](const VirtualPort& left, const VirtualPort& right) {
    return left.number < right.number;
  });
  return ports;
}

Failure Vhci::WriteFailure(const std::string& name, int error) const {
  std::string text = "cannot write " + files_.path(name) + ": " + ErrorText(error);
  switch (error) {
    case EACCES:
    case EPERM: text += "; run this as root"; break;
    case EROFS:
      text +=
          "; sysfs is mounted read-only, as in most containers: run this outside, or in one "
          "that may write it";
      break;
    case ENOENT: return {Failure::Kind::kCannotOpen, kNoVhci};
    default: text += "; dmesg says more"; break;
  }
  return {Failure::Kind::kCannotOpen, std::move(text)};
}

Result<uint32_t, Failure> Vhci::Attach(int fd, const VirtualPorts::Device& device) {
  const PortHub hub = HubOf(device.speed);
  std::set<uint32_t> taken;  // by somebody else, since we have looked
  bool unready = false;
  uint32_t speed = usbip::SpeedCode(device.speed);
  for (;;) {
    const auto ports = List();
    if (!ports) return ports.error();
    const auto port = std::find_if(ports->begin(), ports->end(), [&](const VirtualPort& one) {
      return one.hub == hub && one.state == PortState::kFree && !taken.contains(one.number);
    });
    if (port == ports->end()) return NoneIsFree(*ports, device.speed, unready);
    std::string line = std::to_string(port->number);
    for (const uint32_t number : {static_cast<uint32_t>(fd), device.id, speed}) {
      line.append(" ").append(std::to_string(number));
    }
    const int error = files_.Write("attach", line);
    if (error == 0) return Verify(*port, *ports);
    if (error == EINVAL && speed == wire::usbip::kSpeedSuperPlus) {
      // Many kernels take no SuperSpeedPlus. What the device says about itself stays as it is.
      speed = wire::usbip::kSpeedSuper;
      continue;
    }
    if (error != EBUSY && error != EAGAIN) return WriteFailure("attach", error);
    unready = unready || error == EAGAIN;
    taken.insert(port->number);
  }
}

// The port that was taken: the one that was named, or its neighbour in the other hub, where this
// kernel chose that one for the speed.
Result<uint32_t, Failure> Vhci::Verify(const VirtualPort& port,
                                       const std::vector<VirtualPort>& before) const {
  const auto after = List();
  if (!after) return after.error();
  const VirtualPort* named = os::Find(*after, port.number);
  if (named == nullptr || named->state != PortState::kFree) return port.number;
  for (const VirtualPort& one : *after) {
    const VirtualPort* was = os::Find(before, one.number);
    const bool is_new = was != nullptr && was->state == PortState::kFree && one.hub != port.hub &&
                        one.state != PortState::kFree;
    if (is_new) return one.number;
  }
  return port.number;  // the kernel has let go of it again: whoever serves it is told
}

Result<void, Failure> Vhci::Detach(uint32_t port) {
  const auto ports = List();
  if (!ports) return ports.error();
  const VirtualPort* found = os::Find(*ports, port);
  if (found == nullptr) {
    return Failure{Failure::Kind::kUsage, "there is no port " + std::to_string(port) +
                                              ": usbtwin ports lists those with a device"};
  }
  if (found->state == PortState::kFree || found->state == PortState::kNotReady) {
    return Failure{Failure::Kind::kCannotOpen, "port " + std::to_string(port) + " is " +
                                                   Name(found->state) + ": nothing is there"};
  }
  const int error = files_.Write("detach", std::to_string(port));
  if (error == 0) return {};
  const auto now = List();
  const VirtualPort* left = now ? os::Find(*now, port) : nullptr;
  // Somebody was faster.
  if (left != nullptr && left->state == PortState::kFree) return {};
  return WriteFailure("detach", error);
}

// --- what the tools see ---

namespace {

std::string Line(const SystemFiles& files, const std::string& name) {
  const Result<std::string, int> text = files.Read(name);
  if (!text) return "";
  return text->substr(0, text->find('\n'));
}

std::optional<uint16_t> Id(const std::string& text) {
  uint16_t id = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, id, 16);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return id;
}

constexpr char kUsbDevices[] = "/sys/bus/usb/devices/";

// Takes the device from its drivers; that of a disk has the disk flush its cache. The write ends
// when that is done, and the device must be served meanwhile.
class Removal final : public Job {
 public:
  explicit Removal(const std::string& name) : files_(MakeSystemFiles(kUsbDevices + name)) {}

 private:
  // Where this fails, the device is gone without it.
  void Work() override { (void)files_->Write("remove", "1"); }
  void HandleHome() override {}
  const std::unique_ptr<SystemFiles> files_;
};
// A device that answers nothing must not keep its port: its commands end with the detach.
constexpr Duration kRemovalLimit = std::chrono::seconds(10);

// Between an import and the kernel's first command a server has nothing to say: the kernel would
// take it for a reply, and the connection for broken. "" where all is well.
std::string WhyNotToGive(int fd) {
  std::array<uint8_t, wire::usbip::kHeaderLength> room;
  const ssize_t length = recv(fd, room.data(), room.size(), MSG_PEEK | MSG_DONTWAIT);
  if (length > 0) {
    return "the server spoke before it was asked: " + Count(static_cast<uint64_t>(length), "byte") +
           " or more behind its answer to the import; it does not keep to USB/IP";
  }
  if (length == 0) return "the server closed the connection; its log may say why";
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return "";
  return "the connection to the server broke: " + ErrorText(errno);
}

class LinuxVirtualPorts final : public VirtualPorts {
 public:
  explicit LinuxVirtualPorts(LinuxSystem& system)
      : system_(system), files_(MakeVhciFiles()), vhci_(*files_), worker_(system.loop()) {}

  Result<std::vector<VirtualPort>, Failure> List() override {
    auto ports = vhci_.List();
    if (!ports) return ports.error();
    for (VirtualPort& port : *ports) {
      if (port.state != PortState::kUsed) continue;
      if (const auto origin = records_.Read(port.number)) port.origin = app::TextOf(*origin);
    }
    return ports;
  }

  Result<Plugged, Failure> Plug(const Device& device) override {
    auto pair = system_.stream_sockets().MakePair();
    if (!pair) return Failure{Failure::Kind::kCannotOpen, pair.error().text};
    const Result<uint32_t, Failure> port = vhci_.Attach(pair->second.get(), device);
    if (!port) return port.error();
    records_.Remove(*port);
    return Plugged{.port = *port, .socket = std::move(pair->first)};
  }

  Result<uint32_t, Failure> Give(std::unique_ptr<async::Socket> socket, const Device& device,
                                 const app::UsbIpDevice& origin) override {
    const FileDescriptor fd = StreamSocket::Release(std::move(socket));
    if (const std::string why = WhyNotToGive(fd.get()); !why.empty()) {
      return Failure{Failure::Kind::kTransport, app::TextOf(origin) + ": " + why};
    }
    const Result<uint32_t, Failure> port = vhci_.Attach(fd.get(), device);
    if (port) records_.Write(*port, origin);
    return port;
  }

  Result<void, Failure> Unplug(uint32_t port) override {
    records_.Remove(port);
    const auto ports = vhci_.List();
    const VirtualPort* used = ports ? os::Find(*ports, port) : nullptr;
    if (used == nullptr || used->state != PortState::kUsed) return vhci_.Detach(port);
    Removal removal(used->name);
    const auto is_home = [&removal] { return !removal.away(); };
    if (worker_.Submit(removal)) (void)RunUntilOrLimit(system_, kRemovalLimit, is_home);
    const Result<void, Failure> detached = vhci_.Detach(port);
    CHECK(system_.RunUntil(is_home));
    return detached;
  }

  bool Knows(const std::string& name) const override {
    return Id(Line(*MakeSystemFiles(kUsbDevices + name), "idVendor")).has_value();
  }

  std::optional<SystemDevice> Find(const std::string& name) const override {
    const auto files = MakeSystemFiles(kUsbDevices + name);
    const std::optional<uint16_t> vendor_id = Id(Line(*files, "idVendor"));
    const std::optional<uint16_t> product_id = Id(Line(*files, "idProduct"));
    if (!vendor_id || !product_id) return std::nullopt;
    return SystemDevice{.vendor_id = *vendor_id,
                        .product_id = *product_id,
                        .manufacturer = Line(*files, "manufacturer"),
                        .product = Line(*files, "product"),
                        .serial = Line(*files, "serial")};
  }

 private:
  LinuxSystem& system_;
  const std::unique_ptr<SystemFiles> files_;
  Vhci vhci_;
  const PortRecords records_;
  Worker worker_;  // not the system's, which a device's image needs meanwhile
};

}  // namespace

std::unique_ptr<VirtualPorts> MakeVirtualPorts(app::System& system) {
  auto* own = dynamic_cast<LinuxSystem*>(&system);
  CHECK(own != nullptr);
  return std::make_unique<LinuxVirtualPorts>(*own);
}

}  // namespace usbtwin::os
