// What a device says of its UASP setting. UAS, 5; USB 3.2, 9.6.7.
#include <algorithm>

#include "base/text.h"
#include "conform/uas_cases.h"
#include "conform/uas_exchange.h"

namespace usbtwin::conform {

namespace {

const char* const kPipeNames[] = {"", "command", "status", "data-in", "data-out"};

// The four pipes by their ids, 1 to 4.
std::array<usb::EndpointConfig, 5> Pipes(Bench& bench) {
  const host::StorageChoice& storage = bench.storage();
  return {usb::EndpointConfig{}, storage.command, storage.status, storage.bulk_in,
          storage.bulk_out};
}

async::Task<Finding> InterfaceClass(Bench& bench) {
  const host::StorageChoice& storage = bench.storage();
  if (storage.interface_class == 0x08 && storage.interface_subclass == 0x06 &&
      storage.interface_protocol == 0x62) {
    co_return Pass();
  }
  co_return Fail("the interface is " + HexId(storage.interface_class).substr(2) + "/" +
                 HexId(storage.interface_subclass).substr(2) + "/" +
                 HexId(storage.interface_protocol).substr(2) + " and not 08/06/62");
}

async::Task<Finding> PipeUsage(Bench& bench) {
  const auto pipes = Pipes(bench);
  for (uint8_t id = 1; id <= 4; ++id) {
    if (pipes[id].pipe_usage != id) {
      co_return Fail(std::string("the ") + kPipeNames[id] + " pipe has no pipe usage descriptor");
    }
  }
  co_return Pass();
}

async::Task<Finding> PipeDirections(Bench& bench) {
  const auto pipes = Pipes(bench);
  for (uint8_t id = 1; id <= 4; ++id) {
    const bool in = id == 2 || id == 3;
    if (pipes[id].address.is_in() != in || pipes[id].type != usb::TransferType::kBulk) {
      co_return Fail(std::string("the ") + kPipeNames[id] + " pipe is endpoint " +
                     HexId(pipes[id].address.value).substr(2) + "h, " + usb::Name(pipes[id].type));
    }
  }
  co_return Pass();
}

async::Task<Finding> PipesDiffer(Bench& bench) {
  const auto pipes = Pipes(bench);
  for (uint8_t id = 2; id <= 4; ++id) {
    for (uint8_t other = 1; other < id; ++other) {
      if (pipes[id].address == pipes[other].address) {
        co_return Fail(std::string("the ") + kPipeNames[id] + " and " + kPipeNames[other] +
                       " pipes are the same endpoint");
      }
    }
  }
  co_return Pass();
}

async::Task<Finding> PacketSizes(Bench& bench) {
  const usb::Speed speed = bench.session().caps().speed;
  const uint16_t wanted = speed >= usb::Speed::kSuper ? 1024 : 512;
  if (speed < usb::Speed::kHigh) co_return Skip("at full speed");
  const auto pipes = Pipes(bench);
  for (uint8_t id = 1; id <= 4; ++id) {
    if (pipes[id].packet_size_max != wanted) {
      co_return Fail(std::string("the ") + kPipeNames[id] + " pipe has packets of " +
                     Count(pipes[id].packet_size_max, "byte"));
    }
  }
  co_return Pass();
}

async::Task<Finding> Streams(Bench& bench) {
  if (!HasStreams(bench)) co_return Skip("below SuperSpeed there are no streams");
  const auto pipes = Pipes(bench);
  if (pipes[1].streams_max != 0) co_return Fail("the command pipe has streams");
  for (uint8_t id = 2; id <= 4; ++id) {
    if (pipes[id].streams_max == 0) {
      co_return Fail(std::string("the ") + kPipeNames[id] + " pipe has no streams");
    }
  }
  co_return Pass();
}

async::Task<Finding> NoStreams(Bench& bench) {
  if (HasStreams(bench)) co_return Skip("at SuperSpeed there are streams");
  for (const usb::EndpointConfig& pipe : Pipes(bench)) {
    if (pipe.streams_max != 0) co_return Fail("a pipe has streams below SuperSpeed");
  }
  co_return Pass();
}

constexpr Case kCases[] = {
    {"interface-class", "UAS, 5", "class 08h, subclass 06h, protocol 62h", false, InterfaceClass},
    {"pipe-usage", "UAS, 5", "each pipe has its pipe usage descriptor", false, PipeUsage},
    {"pipe-directions", "UAS, 5", "command and data-out go out, status and data-in come in", false,
     PipeDirections},
    {"pipes-differ", "UAS, 5", "the four pipes are four endpoints", false, PipesDiffer},
    {"packet-size", "USB 2.0, 5.8.3; USB 3.2, 8.10.2",
     "bulk packets are as long as the speed demands", false, PacketSizes},
    {"streams", "UAS, 5; USB 3.2, 9.6.7",
     "at SuperSpeed three pipes have streams, and the command pipe has none", false, Streams},
    {"no-streams", "USB 3.2, 9.6.7", "below SuperSpeed no pipe has streams", false, NoStreams},
};

}  // namespace

std::span<const Case> UasDescriptorCases() {
  return kCases;
}

}  // namespace usbtwin::conform
