# op: facts.read v1
# Whether forwarders can work here. What cannot be read is left out, and the other part stands.
$facts = @{}

try {
    $s = Get-DnsServerSetting -All -ErrorAction Stop
    $facts.directory = [bool]$s.DsAvailable
} catch { }

try {
    $r = Get-DnsServerRecursion -ErrorAction Stop
    $facts.recursion = [bool]$r.Enable
} catch { }

Write-Answer @{ fault = $null; facts = $facts }
exit 0
