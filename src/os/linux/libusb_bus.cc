#include "os/linux/libusb_bus.h"

#include <algorithm>
#include <fstream>

#include "base/text.h"
#include "os/linux/libusb_link.h"

namespace usbtwin::os {
namespace {

constexpr Error kCannotStart{.kind = ErrorKind::kFault,
                             .phase = Phase::kOpen,
                             .text = "the system has no room for libusb: too many files are open"};
constexpr Error kNoThread{.kind = ErrorKind::kFault,
                          .phase = Phase::kOpen,
                          .text = "the system gives no thread to open the device with"};

}  // namespace

void LibusbBus::Open(usb::OpenOp& op) {
  if (!context_.Start()) {
    op.result = kCannotStart;
    return context_.loop().Post(op);
  }
  openings_.push_back(std::make_unique<Opening>(*this, op));
  if (context_.worker().Submit(*openings_.back())) return;
  openings_.pop_back();
  op.result = kNoThread;
  context_.loop().Post(op);
}

void LibusbBus::HandleOpened(Opening& opening) {
  usb::OpenOp& op = opening.op;
  if (!opening.device) {
    op.result = opening.device.error();
  } else if (auto link = LibusbLink::Make(context_, std::move(*opening.device))) {
    usb::LinkStack stack;
    stack.top = link.get();
    stack.owned.push_back(std::move(link));
    op.result = std::move(stack);
  } else {
    op.result = kCannotStart;
  }
  std::erase_if(openings_, [&opening](const auto& one) { return one.get() == &opening; });
  op.Complete();
}

std::string LibusbBus::Explain(const usb::DeviceId& id, const Error& error) {
  if (error.kind == ErrorKind::kBusy) return ExplainBusy(id);
  if (error.kind == ErrorKind::kDenied) return ExplainDenied(id);
  if (error.kind == ErrorKind::kFault && context_.memory_limit_met()) return ExplainMemoryLimit();
  return "";
}

std::string LibusbBus::ExplainBusy(const usb::DeviceId& id) const {
  std::string text;
  const auto add = [&text](const std::string& line) {
    text.append(text.empty() ? "" : "\n") += line;
  };
  bool is_used = false;
  for (const BoundInterface& bound : ListBoundInterfaces(paths_, id.port_path)) {
    const std::string interface = "Interface " + std::to_string(bound.number);
    if (bound.driver == "usbfs") {
      add(interface + " is in use by a program: end it.");
      continue;
    }
    add(interface + " belongs to the kernel's driver " + Printable(bound.driver) + ".");
    for (const std::string& use : ListUses(paths_, id.port_path, bound.number)) {
      add(use + ".");
      is_used = true;
    }
  }
  if (is_used) add("No disk is taken from its users: unmount it first.");
  return text;
}

std::string LibusbBus::ExplainDenied(const usb::DeviceId& id) const {
  const std::optional<usb::DeviceInfo> info = FindUsbDevice(paths_, id.port_path);
  if (!info) return "";
  return "The node is " + NodePath(paths_, *info) +
         ". Run as root, or give your user access: put the line\n"
         "  SUBSYSTEM==\"usb\", ATTR{idVendor}==\"" +
         HexId(info->vendor_id) + "\", ATTR{idProduct}==\"" + HexId(info->product_id) +
         "\", TAG+=\"uaccess\"\ninto /etc/udev/rules.d/70-usbtwin.rules and plug the device in "
         "again.";
}

std::string LibusbBus::ExplainMemoryLimit() const {
  const std::string path = paths_.sysfs + "/module/usbcore/parameters/usbfs_memory_mb";
  std::string limit;
  std::ifstream file(path);
  std::getline(file, limit);
  return "The kernel's memory for USB transfers of all programs is used up: " + Printable(limit) +
         " MiB.\nWrite a larger number to " + path + ", or 0 for no limit.";
}

}  // namespace usbtwin::os
