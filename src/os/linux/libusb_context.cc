#include "os/linux/libusb_context.h"

#include <algorithm>

namespace usbtwin::os {
namespace {

constexpr int kCallsPerTurn = 8;  // then others have their turn

}  // namespace

LibusbContext::~LibusbContext() {
  CHECK(members_.empty());
  CHECK(loop_.RunUntil([this] { return closings_.empty() && !linked(); }));
  for (OwnWatch& watch : own_) loop_.Remove(watch);
  if (context_ != nullptr) libusb_exit(context_);
}

bool LibusbContext::Start() {
  if (context_ != nullptr) return true;
  // For every context made from here on; nobody else in this process makes any.
  libusb_set_option(nullptr, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);
  libusb_context* context = nullptr;
  if (libusb_init(&context) != LIBUSB_SUCCESS) return false;
  const libusb_pollfd** fds = libusb_get_pollfds(context);
  bool watched = fds != nullptr;
  for (const libusb_pollfd** fd = fds; watched && *fd != nullptr; ++fd) {
    OwnWatch& watch = own_.emplace_back(*this);
    watched = loop_.Add(watch, (*fd)->fd) == 0;
    fds_.push_back({.fd = (*fd)->fd, .events = (*fd)->events, .revents = 0});
  }
  libusb_free_pollfds(fds);
  if (!watched) {
    for (OwnWatch& watch : own_) loop_.Remove(watch);
    own_.clear();
    fds_.clear();
    libusb_exit(context);
    return false;
  }
  context_ = context;
  return true;
}

bool LibusbContext::Add(Member& member, int fd) {
  member.context_ = this;
  member.fd_ = fd;
  const bool writable = true;  // how a node says that transfers have ended
  if (loop_.Add(member, fd, writable) != 0) return false;
  members_.push_back(&member);
  fds_.push_back({.fd = fd, .events = POLLOUT, .revents = 0});
  return true;
}

void LibusbContext::Remove(Member& member) {
  const auto found = std::find(members_.begin(), members_.end(), &member);
  if (found == members_.end()) return;
  loop_.Remove(member);
  fds_.erase(fds_.end() - (members_.end() - found));
  members_.erase(found);
}

void LibusbContext::Close(std::unique_ptr<LibusbDevice> device) {
  closings_.push_back(std::make_unique<Closing>());
  Closing& closing = *closings_.back();
  closing.owner = this;
  closing.device = std::move(device);
  if (worker_.Submit(closing)) return;
  closings_.pop_back();  // without a thread it is closed here
}

void LibusbContext::Closing::HandleHome() {
  std::erase_if(owner->closings_, [this](const auto& one) { return one.get() == this; });
}

void LibusbContext::Pump() {
  if (!linked()) loop_.Post(*this);
}

void LibusbContext::Run() {
  for (int call = 0; call < kCallsPerTurn; ++call) {
    timeval zero{};
    libusb_handle_events_timeout_completed(context_, &zero, nullptr);
    TellGone();
    if (in_flight_count_ == 0 || !IsAnyReady()) return;
  }
  Pump();
}

bool LibusbContext::IsAnyReady() {
  const int count = poll(fds_.data(), fds_.size(), 0);
  if (count <= 0) return count < 0 && errno == EINTR;
  for (const pollfd& fd : fds_) {
    if ((fd.revents & POLLERR) != 0) gone_.push_back(fd.fd);
  }
  return true;
}

void LibusbContext::TellGone() {
  for (const int fd : std::exchange(gone_, {})) {
    const auto found = std::find_if(members_.begin(), members_.end(),
                                    [fd](const Member* member) { return member->fd_ == fd; });
    if (found == members_.end()) continue;
    Member& member = **found;
    Remove(member);
    member.HandleGone();
  }
}

}  // namespace usbtwin::os
