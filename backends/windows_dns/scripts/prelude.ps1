# Put in front of every operation by `backends.windows_dns.scripts`. $p holds the parameters: data, never code.
$ProgressPreference = 'SilentlyContinue'
$ErrorActionPreference = 'Stop'
$p = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($env:K8SNET_PARAMETERS)) | ConvertFrom-Json

# The only thing an operation prints. Base64 survives any code page and the console's line width.
function Write-Answer($fields) {
    $fields.ref = $p.ref
    $fields.server = [Environment]::MachineName
    $fields.clock = [DateTime]::UtcNow.Ticks
    $json = ConvertTo-Json -InputObject $fields -Depth 6 -Compress
    $bytes = [Text.Encoding]::UTF8.GetBytes($json)
    [Console]::Out.WriteLine('<<' + [Convert]::ToBase64String($bytes) + '>>')
}

function Get-Fault($record) {
    return @{ id = "$($record.FullyQualifiedErrorId)"; message = "$($record.Exception.Message)" }
}

# The zone of that name, or $null (WIN32 9601: no such zone). Every other error is thrown.
function Get-ZoneImage($name) {
    try {
        $z = Get-DnsServerZone -Name $name -ErrorAction Stop
    } catch {
        if ("$($_.FullyQualifiedErrorId)" -like 'WIN32 9601,*') { return $null }
        throw $_
    }
    $masters = [string[]]@($z.MasterServers | Where-Object { $_ } | ForEach-Object { "$_" })
    return @{
        name = "$($z.ZoneName)"
        type = "$($z.ZoneType)"
        masters = $masters
        timeout = [int]$z.ForwarderTimeout
        recursion = [bool]$z.UseRecursion
    }
}
