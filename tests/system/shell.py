"""Shell functions for scripts that run in the guest: a test puts those it needs before its own."""

# Everything else builds on these.
WAIT = r"""
PATH=$PATH:/usr/sbin:/sbin
until_is() {  # TEST: until it holds; half a minute at most
  count=0
  until eval "$1"; do
    count=$((count + 1))
    [ $count -lt 1500 ] || { echo "never: $1" >&2; exit 9; }
    sleep 0.02
  done
}
expect() {  # STATUS COMMAND...: ends with the status wanted, whatever -e says
  wanted=$1
  shift
  status=0
  "$@" || status=$?
  [ $status = $wanted ] || { echo "exit $status, not $wanted: $*" >&2; exit 9; }
}
"""

# Devices made of the kernel's own functions. They are unplugged in the end, which the guest's own
# end would wait for.
GADGET = WAIT + r"""
gadget() {  # NAME FUNCTION UDC [IMAGE]: makes a device and plugs it in
  folder=/sys/kernel/config/usb_gadget/$1
  mkdir $folder $folder/strings/0x409 $folder/configs/c.1 $folder/functions/$2
  echo 0x1d6b >$folder/idVendor
  echo 0x0104 >$folder/idProduct
  echo serial-$1 >$folder/strings/0x409/serialnumber
  if [ -n "${4:-}" ]; then
    echo ${STALL:-0} >$folder/functions/$2/stall
    echo $4 >$folder/functions/$2/lun.0/file
  fi
  ln -s $folder/functions/$2 $folder/configs/c.1
  echo $3 >$folder/UDC
}
unplug() { echo "" >/sys/kernel/config/usb_gadget/$1/UDC; }
"""

# The kernel's own SCSI target as a device: setting 0 is Bulk-Only, which answers nonsense, and
# setting 1 UAS. It stays plugged in: its function breaks the kernel when it goes in mid-command.
TARGET = GADGET + r"""
target() {  # UDC IMAGE BYTES
  core=/sys/kernel/config/target/core/fileio_0/file
  group=/sys/kernel/config/target/usb_gadget/naa.6001405c3214b06a/tpgt_1
  folder=/sys/kernel/config/usb_gadget/target
  mkdir -p $core $folder/configs/c.1 $folder/functions/tcm.0
  echo 0x1d6b >$folder/idVendor
  echo 0x0104 >$folder/idProduct
  echo fd_dev_name=$2,fd_dev_size=$3 >$core/control
  echo 1 >$core/enable
  mkdir -p $group/lun/lun_0
  echo naa.6001405c3214b06b >$group/nexus
  ln -s $core $group/lun/lun_0/file
  echo 1 >$group/enable
  ln -s $folder/functions/tcm.0 $folder/configs/c.1
  echo $1 >$folder/UDC
}
"""

# Twins in ports of vhci_hcd. Several: `attach` leaves its process in $pid, its port in $port, and
# what it said in /tmp/said.
ATTACH = WAIT + r"""
attach() {  # DEVICE [OPTION...]: until the kernel has read the device
  : >/tmp/told
  # A shell without a terminal has its background ignore SIGINT.
  env --default-signal=INT "$USBTWIN" attach "$@" >/tmp/told 2>/tmp/said &
  pid=$!
  until test -s /tmp/told; do
    kill -0 $pid || { cat /tmp/said >&2; return 1; }
    sleep 0.01
  done
  port=$(sed -n 's/.* is in port \([0-9]*\),.*/\1/p' /tmp/told)
  device=$(sed -n 's/.*, device \([-0-9.]*\) of.*/\1/p' /tmp/told)
}
disk() {  # [DEVICE]: until it has a disk; $disk is its node
  for again in $(seq 1000); do
    for path in /sys/bus/usb/devices/${1:-$device}/${1:-$device}:*/host*/target*/*/block/*; do
      disk=/dev/${path##*/}
      # The kernel reads the first blocks of a disk before it is of use.
      test -b "$disk" || continue
      if dd if=$disk of=/dev/null count=1 status=none 2>/dev/null; then return; fi
    done
    sleep 0.01
  done
  echo "no disk" >&2
  return 1
}
driver() { basename "$(readlink /sys/bus/usb/devices/$device:1.0/driver)"; }
good_end() {  # ends $pid as a person does; it must have detached in good order
  kill -INT $pid
  wait $pid
  is_free $port
}
is_free() {
  "$USBTWIN" ports --all | grep -Eq "^ *$1  .s   free$"
}
keep_writing() {  # to $disk, until that fails: /tmp/dd says how
  while dd if=/dev/zero of=$disk bs=64k conv=nocreat oflag=direct count=512 2>/tmp/dd; do :; done
}
refused() {  # as a disk refuses that is gone, or, taken away in good order, has no room left
  grep -qE 'Input/output error|No such (device|file)|No space left' /tmp/dd
}
"""

# A USB/IP server of ours, as process $server, and the stock tool's attachments to it.
SERVE = ATTACH + r"""
serve() {  # DEVICE... [OPTION...]: until it listens; what it said is in /tmp/server
  : >/tmp/server
  "$USBTWIN" serve "$@" --no-control 2>/tmp/server &
  server=$!
  until_is "grep -q 'listens at' /tmp/server || ! kill -0 $server"
  kill -0 $server || { cat /tmp/server >&2; return 1; }
}
stop_server() {  # it must end in good order
  kill -TERM $server
  wait $server
}
stock_attach() {  # BUSID PORT: until the kernel has given the device a number
  usbip attach -r 127.0.0.1 -b $1
  port=$2
  until_is 'test "$(stock_device)" != ""'
  device=$(stock_device)
}
stock_device() {
  awk -v port=$port '$2 + 0 == port && $3 == "006" { print $7 }' \
    /sys/devices/platform/vhci_hcd.0/status
}
"""
