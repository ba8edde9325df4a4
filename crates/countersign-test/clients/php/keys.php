<?php
// Keys as `countersign key generate` wrote them, under PHP's own OpenSSL and hash functions.
declare(strict_types=1);

class Key
{
    private string $file;

    public function __construct(public string $id, public string $scheme, public string $algorithm)
    {
        $this->file = file_get_contents("$id.key");
    }

    public function sign(string $data): string
    {
        if ($this->algorithm === 'hmac-sha256') {
            return $this->mac($data);
        }
        openssl_sign($data, $signature, $this->file, OPENSSL_ALGO_SHA256) || throw new Exception(openssl_error_string());
        return $this->algorithm === 'ecdsa-p256-sha256' ? fromDer($signature) : $signature;
    }

    public function verify(string $data, string $signature): bool
    {
        if ($this->algorithm === 'hmac-sha256') {
            return hash_equals($this->mac($data), $signature);
        }
        $signature = $this->algorithm === 'ecdsa-p256-sha256' ? toDer($signature) : $signature;
        return openssl_verify($data, $signature, file_get_contents("$this->id.key.pub"), OPENSSL_ALGO_SHA256) === 1;
    }

    /** `countersign sign` with this key. */
    public function countersign(string $binary, string $message): string
    {
        $command = [$binary, 'sign', '--key', "$this->id.key", '--id', $this->id];
        array_push($command, '--scheme', $this->scheme, '--algorithm', $this->algorithm);
        $process = proc_open($command, [['pipe', 'r'], ['pipe', 'w'], STDERR], $pipes);
        fwrite($pipes[0], $message);
        fclose($pipes[0]);
        $signed = stream_get_contents($pipes[1]);
        proc_close($process) === 0 || throw new Exception("$this->id: countersign sign failed");
        return $signed;
    }

    /** Of a secret, its file's bytes are the secret, less one final LF. */
    private function mac(string $data): string
    {
        return hash_hmac('sha256', $data, preg_replace('/\n\z/', '', $this->file), true);
    }
}

/** DER, as OpenSSL has it, to r and s of 32 bytes each, as RFC 9421 (3.3.4) has it. */
function fromDer(string $der): string
{
    $r = substr($der, 4, ord($der[3]));
    $s = substr($der, 6 + strlen($r));
    return implode(array_map(fn ($number) => str_pad(ltrim($number, "\0"), 32, "\0", STR_PAD_LEFT), [$r, $s]));
}

function toDer(string $pair): string
{
    $integers = '';
    foreach (str_split($pair, 32) as $number) {
        $number = ltrim($number, "\0");
        $number = ($number === '' || ord($number[0]) > 127 ? "\0" : '') . $number;
        $integers .= "\x02" . chr(strlen($number)) . $number;
    }
    return "\x30" . chr(strlen($integers)) . $integers;
}
