# Reads, in order of time, what the chip said and what r3's kernel said of IPv4 routes, and judges whether r3 got a prefix that the chip did
# not have. A line is "[2026-01-02T03:04:05.678901] chip|r3 ROUTE", with "Deleted" in front of ROUTE for one that is gone; "chip RESET" stands
# for a chip that is gone with all it had.

function seconds(stamp,    part) {
  split(stamp, part, /[-T:\[\]]/) # "", year, month, day, hour, minute, second
  return ((part[4] * 24 + part[5]) * 60 + part[6]) * 60 + part[7]
}

{
  at = seconds($1)
  gone = $3 == "Deleted"
  prefix = gone ? $4 : $3
}

$2 == "chip" && prefix == "RESET" {
  for (prefix in offloaded) {
    lost[prefix] = at
    delete offloaded[prefix]
  }
  next
}

$2 == "chip" && !gone && / rt_offload( |$)/ {
  offloaded[prefix] = 1
  next
}

$2 == "chip" && prefix in offloaded {
  lost[prefix] = at
  delete offloaded[prefix]
  next
}

$2 == "r3" && gone {
  delete present[prefix]
  next
}

$2 == "r3" && /proto bgp/ && !(prefix in present) {
  present[prefix] = 1
  heard++
  if (!(prefix in offloaded) && !(prefix in lost && at - lost[prefix] < 1)) {
    if (early++ < 5) {
      printf "%s %s was at r3, %s\n", $1, prefix, prefix in lost ? "and the chip had lost it " at - lost[prefix] " s before" : "and the chip never had it"
    }
  }
}

END {
  printf "%d times a prefix came to r3, %d of them too early\n", heard, early
  exit early > 0 || heard == 0
}
