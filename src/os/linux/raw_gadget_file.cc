#include "os/linux/raw_gadget_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/text.h"
#include "os/linux/files.h"

namespace usbtwin::os {

using app::Failure;

namespace {

constexpr char kNode[] = "/dev/raw-gadget";
constexpr char kUdcs[] = "/sys/class/udc/";

Failure CannotOpen(std::string text) {
  return {Failure::Kind::kCannotOpen, std::move(text)};
}

template <class Argument>
int Call(int fd, unsigned long request, Argument argument) {
  const int result = ioctl(fd, request, argument);
  return result < 0 ? -errno : result;
}

Failure WhyNotOpened(int error) {
  if (error == ENOENT || error == ENODEV || error == ENXIO) {
    return CannotOpen(std::string(kNode) +
                      " is not there: the kernel's module is not loaded (modprobe raw_gadget), or "
                      "the kernel was built without CONFIG_USB_RAW_GADGET");
  }
  if (error == EACCES || error == EPERM) {
    return CannotOpen(std::string(kNode) + " may be opened by root alone: run as root, or allow " +
                      "yourself to read and write it");
  }
  return CannotOpen(std::string(kNode) + ": " + ErrorText(error));
}

std::string Attribute(const std::string& udc, const char* name) {
  const auto bytes = ReadWholeFile(kUdcs + udc + "/" + name, 4096);
  if (!bytes) return "";
  std::string text(bytes->begin(), bytes->end());
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// What follows "key=" on a line of the controller's uevent file.
std::string EventValue(const std::string& udc, const std::string& key) {
  const std::string text = "\n" + Attribute(udc, "uevent") + "\n";
  const std::string start = "\n" + key + "=";
  const size_t found = text.find(start);
  if (found == std::string::npos) return "";
  const size_t begin = found + start.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

std::string Listed(const std::vector<std::string>& udcs) {
  if (udcs.empty()) {
    return "this machine has no USB device controller in /sys/class/udc (modprobe dummy_hcd makes "
           "one in software)";
  }
  std::string text = "there ";
  text += udcs.size() == 1 ? "is " : "are ";
  for (const std::string& udc : udcs) {
    if (&udc != &udcs.front()) text += ", ";
    text += Printable(udc);
  }
  return text;
}

bool IsSlowerThan(const std::string& udc, usb::Speed speed) {
  const std::string text = Attribute(udc, "maximum_speed");
  if (text == "low-speed") return speed > usb::Speed::kLow;
  if (text == "full-speed") return speed > usb::Speed::kFull;
  return false;
}

usb_device_speed KernelSpeed(usb::Speed speed) {
  switch (speed) {
    case usb::Speed::kLow: return USB_SPEED_LOW;
    case usb::Speed::kFull: return USB_SPEED_FULL;
    case usb::Speed::kHigh: return USB_SPEED_HIGH;
    case usb::Speed::kSuper:
    case usb::Speed::kSuperPlus: return USB_SPEED_SUPER;
  }
  return USB_SPEED_UNKNOWN;
}

void Copy(const std::string& text, __u8 (&target)[UDC_NAME_LENGTH_MAX]) {
  std::copy_n(text.begin(), std::min<size_t>(text.size(), UDC_NAME_LENGTH_MAX - 1), target);
}

}  // namespace

Result<RawGadgetFile, Failure> RawGadgetFile::Open(const UdcName& udc, usb::Speed speed) {
  RawGadgetFile opened(FileDescriptor(open(kNode, O_RDWR | O_CLOEXEC)));
  if (!opened) return WhyNotOpened(errno);
  usb_raw_init init = {};
  Copy(udc.driver, init.driver_name);
  Copy(udc.device, init.device_name);
  init.speed = static_cast<__u8>(KernelSpeed(speed));
  const int result = Call(opened.file_.get(), USB_RAW_IOCTL_INIT, &init);
  if (result < 0) return CannotOpen(std::string(kNode) + ": " + ErrorText(-result));
  return opened;
}

Result<void, Failure> RawGadgetFile::Run(const UdcName& udc) {
  const int result = Call(file_.get(), USB_RAW_IOCTL_RUN, 0);
  if (result >= 0) return {};
  const std::string name = "the USB device controller " + Printable(udc.device);
  if (result == -EBUSY) {
    const std::string user = Attribute(udc.device, "function");
    return CannotOpen(name + " is in use" + (user.empty() ? "" : ", as " + Quote(user)) +
                      ": it is one device at a time");
  }
  if (result == -ENODEV) {
    return CannotOpen(name + " is not there any more, or is not called " + Printable(udc.driver) +
                      " by its driver (--driver)");
  }
  return CannotOpen(name + ": " + ErrorText(-result));
}

int RawGadgetFile::Fetch(RawEvent& event) const {
  std::array<uint8_t, sizeof(usb_raw_event) + sizeof(usb::SetupPacket)> fetched{};
  usb_raw_event head = {};
  head.length = sizeof(usb::SetupPacket);
  std::memcpy(fetched.data(), &head, sizeof(head));
  const int result = Call(file_.get(), USB_RAW_IOCTL_EVENT_FETCH, fetched.data());
  std::memcpy(&head, fetched.data(), sizeof(head));
  event.kind = static_cast<RawEventKind>(head.type);
  event.setup = *wire::View<usb::SetupPacket>(Bytes(fetched).subspan(sizeof(head)));
  return result;
}

int RawGadgetFile::WriteControl(RawIoHeader& header) const {
  return Call(file_.get(), USB_RAW_IOCTL_EP0_WRITE, &header);
}

int RawGadgetFile::ReadControl(RawIoHeader& header) const {
  return Call(file_.get(), USB_RAW_IOCTL_EP0_READ, &header);
}

int RawGadgetFile::Write(RawIoHeader& header) const {
  return Call(file_.get(), USB_RAW_IOCTL_EP_WRITE, &header);
}

int RawGadgetFile::Read(RawIoHeader& header) const {
  return Call(file_.get(), USB_RAW_IOCTL_EP_READ, &header);
}

int RawGadgetFile::StallControl() const {
  return Call(file_.get(), USB_RAW_IOCTL_EP0_STALL, 0);
}

int RawGadgetFile::Configure(uint16_t power_ma) const {
  Call(file_.get(), USB_RAW_IOCTL_VBUS_DRAW, static_cast<unsigned long>(power_ma / 2));
  return Call(file_.get(), USB_RAW_IOCTL_CONFIGURE, 0);
}

int RawGadgetFile::Enable(const usb::EndpointConfig& endpoint) const {
  usb_endpoint_descriptor descriptor = {};
  descriptor.bLength = USB_DT_ENDPOINT_SIZE;
  descriptor.bDescriptorType = USB_DT_ENDPOINT;
  descriptor.bEndpointAddress = endpoint.address.value;
  descriptor.bmAttributes = static_cast<__u8>(endpoint.type);
  const wire::Le16 packet_size(
      static_cast<uint16_t>(endpoint.packet_size_max | endpoint.transactions_extra << 11));
  std::memcpy(&descriptor.wMaxPacketSize, &packet_size, sizeof(packet_size));
  descriptor.bInterval = endpoint.interval;
  return Call(file_.get(), USB_RAW_IOCTL_EP_ENABLE, &descriptor);
}

int RawGadgetFile::Disable(int handle) const {
  return Call(file_.get(), USB_RAW_IOCTL_EP_DISABLE, static_cast<long>(handle));
}

int RawGadgetFile::SetHalt(int handle) const {
  return Call(file_.get(), USB_RAW_IOCTL_EP_SET_HALT, static_cast<long>(handle));
}

int RawGadgetFile::SetWedge(int handle) const {
  return Call(file_.get(), USB_RAW_IOCTL_EP_SET_WEDGE, static_cast<long>(handle));
}

int RawGadgetFile::ClearHalt(int handle) const {
  return Call(file_.get(), USB_RAW_IOCTL_EP_CLEAR_HALT, static_cast<long>(handle));
}

std::vector<std::string> ListUdcs() {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(kUdcs), closedir);
  if (folder == nullptr) return names;
  while (const dirent* entry = readdir(folder.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string OtherLinkSpeed(const UdcName& udc, usb::Speed speed) {
  const std::string text = Attribute(udc.device, "current_speed");
  const bool known = text.ends_with("-speed");
  return !known || text == std::string(usb::Name(speed)) + "-speed" ? "" : text;
}

Result<UdcName, Failure> FindUdc(UdcName wanted, usb::Speed speed) {
  const std::vector<std::string> udcs = ListUdcs();
  if (wanted.device.empty() && udcs.size() != 1) {
    const auto kind = udcs.empty() ? Failure::Kind::kCannotOpen : Failure::Kind::kUsage;
    return Failure{kind, udcs.empty() ? Listed(udcs) : "name one with --udc: " + Listed(udcs)};
  }
  if (wanted.device.empty()) wanted.device = udcs.front();
  if (std::find(udcs.begin(), udcs.end(), wanted.device) == udcs.end()) {
    return CannotOpen("no USB device controller is called " + Quote(wanted.device) + "; " +
                      Listed(udcs));
  }
  if (wanted.device.size() >= UDC_NAME_LENGTH_MAX || wanted.driver.size() >= UDC_NAME_LENGTH_MAX) {
    return Failure{Failure::Kind::kUsage, "the kernel takes no name that long"};
  }
  if (IsSlowerThan(wanted.device, speed)) {
    return CannotOpen("the USB device controller " + Printable(wanted.device) + " knows " +
                      Printable(Attribute(wanted.device, "maximum_speed")) +
                      " at most: give the device that speed (emu:...?speed=full)");
  }
  const std::string known = EventValue(wanted.device, "USB_UDC_NAME");
  if (wanted.driver.empty()) wanted.driver = known;
  if (!known.empty() && wanted.driver != known) {
    return CannotOpen("the USB device controller " + Printable(wanted.device) + " is called " +
                      Printable(known) + " by its driver, and not " + Printable(wanted.driver) +
                      " (--driver)");
  }
  if (wanted.driver.empty()) {
    return Failure{Failure::Kind::kUsage, "name the driver of " + Printable(wanted.device) +
                                              " with --driver: this kernel does not tell"};
  }
  return wanted;
}

}  // namespace usbtwin::os
