#include "os/linux/libusb_device.h"

#include <fcntl.h>

#include <vector>

namespace usbtwin::os {

using usb::Outcome;

namespace {

Error OpenError(ErrorKind kind, const char* text, uint64_t value = 0) {
  return {.kind = kind, .phase = Phase::kOpen, .text = text, .values = {value}};
}

Error NodeError(int error) {
  switch (error) {
    case EACCES:
    case EPERM: return OpenError(ErrorKind::kDenied, "you may not open the device's node");
    case ENOENT:
    case ENXIO:
    case ENODEV: return OpenError(ErrorKind::kNotFound, "the device has no node that opens");
    default:
      return OpenError(ErrorKind::kFault, "the system cannot open the device's node: errno {}",
                       static_cast<uint64_t>(error));
  }
}

Error WrapError(int result) {
  switch (result) {
    case LIBUSB_ERROR_NO_DEVICE:
      return OpenError(ErrorKind::kNotFound, "the device went while it was opened");
    case LIBUSB_ERROR_ACCESS:
      return OpenError(ErrorKind::kDenied, "you may not use the device's node");
    default:
      return OpenError(ErrorKind::kFault, "libusb cannot use the device's node: its error {}",
                       static_cast<uint64_t>(-result));
  }
}

// libusb takes them as plain bytes.
std::vector<unsigned char> AddressesOf(std::span<const usb::EndpointAddress> endpoints) {
  std::vector<unsigned char> addresses;
  for (const usb::EndpointAddress endpoint : endpoints) addresses.push_back(endpoint.value);
  return addresses;
}

}  // namespace

Outcome OutcomeOf(int libusb_result) {
  if (libusb_result >= 0) return Outcome::kOk;
  switch (libusb_result) {
    case LIBUSB_ERROR_NO_DEVICE: return Outcome::kDisconnected;
    case LIBUSB_ERROR_BUSY: return Outcome::kBusy;
    case LIBUSB_ERROR_ACCESS: return Outcome::kDenied;
    case LIBUSB_ERROR_NOT_FOUND:
    case LIBUSB_ERROR_INVALID_PARAM: return Outcome::kNotFound;
    case LIBUSB_ERROR_NOT_SUPPORTED: return Outcome::kUnsupported;
    case LIBUSB_ERROR_PIPE: return Outcome::kStall;
    case LIBUSB_ERROR_TIMEOUT: return Outcome::kTimedOut;
    case LIBUSB_ERROR_OVERFLOW: return Outcome::kOverflow;
    default: return Outcome::kFault;
  }
}

Result<std::unique_ptr<LibusbDevice>> LibusbDevice::Open(libusb_context* context,
                                                         const UsbPaths& paths,
                                                         const usb::DeviceId& id) {
  std::optional<usb::DeviceInfo> info = FindUsbDevice(paths, id.port_path);
  if (!info) return OpenError(ErrorKind::kNotFound, "no device is at this port");
  FileDescriptor node(open(NodePath(paths, *info).c_str(), O_RDWR | O_CLOEXEC));
  if (!node) return NodeError(errno);
  libusb_device_handle* handle = nullptr;
  const int wrapped = libusb_wrap_sys_device(context, node.get(), &handle);
  if (wrapped != LIBUSB_SUCCESS) return WrapError(wrapped);
  return std::unique_ptr<LibusbDevice>(
      new LibusbDevice(paths, std::move(*info), std::move(node), handle));
}

LibusbDevice::~LibusbDevice() {
  ReleaseAll();
  libusb_close(handle_);
}

void LibusbDevice::ReleaseAll() {
  for (uint8_t number = 0; number < kInterfacesMax; ++number) {
    if (claimed_[number]) (void)Do(usb::ReleaseInterface{number});
  }
}

Outcome LibusbDevice::Perform(usb::PortOp& op) {
  if (const auto* streams = std::get_if<usb::AllocateStreams>(&op.request)) {
    return Allocate(*streams, op.granted);
  }
  return std::visit([this](const auto& request) { return Do(request); }, op.request);
}

Outcome LibusbDevice::Do(const usb::ClaimInterface& claim) {
  if (claim.interface >= kInterfacesMax) return Outcome::kNotFound;
  bool detached = false;
  if (claim.policy == usb::KernelDriverPolicy::kDetach && !claimed_[claim.interface]) {
    // A file system loses what was not written yet if its disk goes.
    if (!ListUses(paths_, info_.id.port_path, claim.interface).empty()) return Outcome::kBusy;
    const int result = libusb_detach_kernel_driver(handle_, claim.interface);
    if (result == LIBUSB_ERROR_NO_DEVICE) return Outcome::kDisconnected;
    detached = result == LIBUSB_SUCCESS;
  }
  const int result = libusb_claim_interface(handle_, claim.interface);
  if (result != LIBUSB_SUCCESS) {
    if (detached) libusb_attach_kernel_driver(handle_, claim.interface);
    return OutcomeOf(result);
  }
  claimed_.set(claim.interface);
  if (detached) detached_.set(claim.interface);
  return Outcome::kOk;
}

Outcome LibusbDevice::Do(const usb::ReleaseInterface& release) {
  if (release.interface >= kInterfacesMax) return Outcome::kNotFound;
  const int result = libusb_release_interface(handle_, release.interface);
  claimed_.reset(release.interface);
  alternates_[release.interface] = 0;
  if (detached_[release.interface] && result == LIBUSB_SUCCESS) {
    // Without one that wants it the interface stays free, and nothing is wrong with that.
    libusb_attach_kernel_driver(handle_, release.interface);
  }
  detached_.reset(release.interface);
  return OutcomeOf(result);
}

Outcome LibusbDevice::Do(const usb::ClearHalt& clear) {
  return OutcomeOf(libusb_clear_halt(handle_, clear.endpoint.value));
}

Outcome LibusbDevice::Do(const usb::SetConfiguration& set) {
  // Setting it again would be a light reset, which no interface in use allows. USB 2.0, 9.1.1.5.
  if (ActiveConfiguration(paths_, info_.id.port_path) == set.value) return Outcome::kOk;
  // The interfaces that are claimed go with the old configuration, and the system refuses to
  // change it under them. Their drivers get nothing back: they would be in the way.
  detached_.reset();
  ReleaseAll();
  return OutcomeOf(libusb_set_configuration(handle_, set.value == 0 ? -1 : set.value));
}

Outcome LibusbDevice::Do(const usb::SetAlternate& set) {
  const int result =
      libusb_set_interface_alt_setting(handle_, set.interface, set.alternate_setting);
  if (result == LIBUSB_SUCCESS && set.interface < kInterfacesMax) {
    alternates_[set.interface] = set.alternate_setting;
  }
  return OutcomeOf(result);
}

Outcome LibusbDevice::Allocate(const usb::AllocateStreams& streams, uint32_t& granted) {
  std::vector<unsigned char> addresses = AddressesOf(streams.endpoints);
  const int result = libusb_alloc_streams(handle_, streams.count, addresses.data(),
                                          static_cast<int>(addresses.size()));
  if (result >= 0) granted = static_cast<uint32_t>(result);
  return OutcomeOf(result);
}

Outcome LibusbDevice::Do(const usb::FreeStreams& streams) {
  std::vector<unsigned char> addresses = AddressesOf(streams.endpoints);
  return OutcomeOf(
      libusb_free_streams(handle_, addresses.data(), static_cast<int>(addresses.size())));
}

Outcome LibusbDevice::Do(const usb::ResetPort&) {
  const int result = libusb_reset_device(handle_);
  // The device came back as another one, or not at all: this handle leads nowhere.
  if (result == LIBUSB_ERROR_NOT_FOUND) return Outcome::kDisconnected;
  if (result != LIBUSB_SUCCESS) return OutcomeOf(result);
  // libusb claims again what was claimed, but all interfaces are in their first setting.
  for (uint8_t number = 0; number < kInterfacesMax; ++number) {
    if (!claimed_[number] || alternates_[number] == 0) continue;
    const int set = libusb_set_interface_alt_setting(handle_, number, alternates_[number]);
    if (set != LIBUSB_SUCCESS) return OutcomeOf(set);
  }
  return Outcome::kOk;
}

}  // namespace usbtwin::os
