# op: facts.read v1
# What the server says about itself. One part that cannot be read leaves the others standing.
$facts = @{ unreadable = @() }

try {
    $s = Get-DnsServerSetting -All -ErrorAction Stop
    $facts.version = "$($s.MajorVersion).$($s.MinorVersion).$($s.BuildNumber)"
    $facts.directory = [bool]$s.DsAvailable
    $facts.addresses = [string[]]@($s.AllIPAddress | Where-Object { $_ } | ForEach-Object { "$_" })
} catch {
    $facts.unreadable += @{ part = 'settings'; fault = Get-Fault $_ }
}

try {
    $f = Get-DnsServerForwarder -ErrorAction Stop
    $facts.forwarders = [string[]]@($f.IPAddress | Where-Object { $_ } | ForEach-Object { "$_" })
    $facts.root_hints = [bool]$f.UseRootHint
} catch {
    $facts.unreadable += @{ part = 'forwarders'; fault = Get-Fault $_ }
}

try {
    $c = Get-DnsServerCache -ErrorAction Stop
    $facts.max_ttl = [int]$c.MaxTtl.TotalSeconds
    $facts.max_negative_ttl = [int]$c.MaxNegativeTtl.TotalSeconds
} catch {
    $facts.unreadable += @{ part = 'cache'; fault = Get-Fault $_ }
}

try {
    $r = Get-DnsServerRecursion -ErrorAction Stop
    $facts.recursion = [bool]$r.Enable
    $facts.recursion_timeout = [int]$r.Timeout
} catch {
    $facts.unreadable += @{ part = 'recursion'; fault = Get-Fault $_ }
}

Write-Answer @{ fault = $null; facts = $facts }
exit 0
