/**
 * The command line of QEMU for a guest, as a function of what the guest is to be. Pure.
 *
 * Without a balloon: what that takes from a guest QEMU cuts out of the file that holds the memory, though the guest
 * has mapped it privately, and all copies have it from there.
 */

/** What runs the guest's instructions. KVM where it really works, else QEMU translates them. */
export type Accelerator = "kvm" | "tcg"

export interface MachineShape {
  readonly name: string
  readonly accelerator: Accelerator
  readonly memoryMebibytes: number
  readonly kernel: string
  readonly firstRoot: string
  readonly root: string
  readonly mac: string
  readonly disk: DiskShape
  /** A file that holds the memory: shared with the guest that is to be copied, read by its copies. */
  readonly memory: { readonly path: string; readonly is: "shared" | "copied" } | undefined
}

export interface DiskShape {
  readonly path: string
  /** Where each write and flush is recorded, in order; what blklogwrites writes. */
  readonly log: string | undefined
}

/** Names of parts, for QMP. */
export const diskGroup = "disk-limits"
export const diskNode = "disk"
export const nicId = "nic0"
/** What lies below the limits: where errors are put in between. */
export const belowLimits = ({ log }: DiskShape): string => (log === undefined ? "disk-file" : "disk-log")

const kernelArguments = "console=ttyS0 panic=-1 quiet mitigations=off cryptomgr.notests"

/** Guests know whether their code is translated. */
const appended: Readonly<Record<Accelerator, string>> = {
  kvm: kernelArguments,
  tcg: `${kernelArguments} lab.translated`
}

const accelerators: Readonly<Record<Accelerator, ReadonlyArray<string>>> = {
  kvm: ["-accel", "kvm", "-cpu", "host"],
  // In a smaller cache translations are thrown away and made again; EPYC boots sooner than max.
  tcg: ["-accel", "tcg,thread=multi,tb-size=256", "-cpu", "EPYC"]
}

export const machineArguments = (shape: MachineShape): ReadonlyArray<string> => [
  ...["-name", shape.name, "-M", "q35", ...accelerators[shape.accelerator], "-smp", "1"],
  ...[
    "-m",
    String(shape.memoryMebibytes),
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-no-reboot"
  ],
  ...memoryArguments(shape),
  ...["-chardev", "socket,id=console,fd=3", "-serial", "chardev:console"],
  ...monitorArguments,
  ...["-chardev", "socket,id=agent,fd=5", "-device", "virtio-serial-pci,id=vs0"],
  ...["-device", "virtserialport,chardev=agent,name=agent"],
  ...["-kernel", shape.kernel, "-initrd", shape.firstRoot, "-append", appended[shape.accelerator]],
  ...["-blockdev", `driver=raw,node-name=root,read-only=on,file.driver=file,file.filename=${shape.root}`],
  ...["-device", "virtio-blk-pci,drive=root,id=vda"],
  ...diskArguments(shape.disk),
  ...["-netdev", "socket,id=net0,fd=6"],
  ...["-device", `virtio-net-pci,netdev=net0,id=${nicId},mac=${shape.mac},romfile=`],
  ...["-device", "virtio-rng-pci"]
]

export const monitorArguments = ["-chardev", "socket,id=qmp,fd=4", "-mon", "chardev=qmp,mode=control"]

const memoryArguments = ({ memory, memoryMebibytes }: MachineShape): ReadonlyArray<string> => {
  if (memory === undefined) return []
  const share = memory.is === "shared" ? "on" : "off"
  const backend = `memory-backend-file,id=ram,size=${memoryMebibytes}M,mem-path=${memory.path},share=${share}`
  return [
    ...["-object", backend, "-machine", "memory-backend=ram"],
    ...(memory.is === "copied" ? ["-incoming", "defer"] : [])
  ]
}

/** Limits over the record over the file. Only the leaves may leave flushes out: above, they would not be recorded. */
const diskArguments = ({ log, path }: DiskShape): ReadonlyArray<string> => [
  ...["-object", `throttle-group,id=${diskGroup}`],
  ...["-blockdev", `driver=file,node-name=disk-file,filename=${path},cache.no-flush=on`],
  ...(log === undefined
    ? []
    : [
        ...["-blockdev", `driver=file,node-name=log-file,filename=${log},cache.no-flush=on`],
        "-blockdev",
        "driver=blklogwrites,node-name=disk-log,file=disk-file,log=log-file,log-sector-size=512"
      ]),
  "-blockdev",
  `driver=throttle,node-name=${diskNode},throttle-group=${diskGroup},file=${belowLimits({ log, path })}`,
  "-device",
  `virtio-blk-pci,drive=${diskNode},id=vdb,werror=report,rerror=report,write-zeroes=off,discard=off`
]

export interface Forward {
  /** In the guests' network. */
  readonly host: string
  readonly port: number
}

/** A QEMU without a machine, whose user network is one more port of the switch: by it this host reaches guests. */
export const gatewayArguments = (forwards: ReadonlyArray<Forward>): ReadonlyArray<string> => {
  const forwarding = forwards.map(({ host, port }) => `,hostfwd=tcp:127.0.0.1:0-${host}:${port}`).join("")
  return [
    ...["-name", "gateway", "-M", "none", "-nodefaults", "-no-user-config", "-display", "none"],
    ...monitorArguments,
    ...["-netdev", `user,id=u0,restrict=on,ipv6=off,net=10.0.0.0/24,host=10.0.0.254${forwarding}`],
    ...["-netdev", "socket,id=s0,fd=6"],
    ...["-netdev", "hubport,id=h0,hubid=0,netdev=u0", "-netdev", "hubport,id=h1,hubid=0,netdev=s0"]
  ]
}
