<?php
// Requests as they stand on the wire, so that any byte of them can be changed.
declare(strict_types=1);

class Request
{
    public function __construct(
        public string $method,
        public string $target,
        public array $headers,
        public string $body,
    ) {
    }

    public static function parse(string $text): self
    {
        [$head, $body] = explode("\r\n\r\n", $text, 2);
        $lines = explode("\r\n", $head);
        [$method, $target] = explode(' ', array_shift($lines));
        $headers = [];
        foreach ($lines as $line) {
            [$name, $value] = explode(': ', $line, 2);
            $headers[$name] = $value;
        }
        return new self($method, $target, $headers, $body);
    }

    private function lines(): array
    {
        return array_map(fn ($name, $value) => "$name: $value", array_keys($this->headers), $this->headers);
    }

    public function text(): string
    {
        return implode("\r\n", ["$this->method $this->target HTTP/1.1", ...$this->lines(), '', $this->body]);
    }

    /** By PHP's own HTTP client; `passed`, or the code of the refusal. */
    public function sendAsClientsDo(): string
    {
        $options = ['method' => $this->method, 'header' => $this->lines(), 'content' => $this->body];
        $options += ['protocol_version' => 1.1, 'ignore_errors' => true, 'timeout' => 20];
        $url = "http://{$this->headers['Host']}$this->target";
        $body = file_get_contents($url, false, stream_context_create(['http' => $options]));
        return str_contains($http_response_header[0], ' 200 ') ? 'passed' : json_decode($body, true)['code'];
    }
}

/** The lines of a table of changes; ../changes/http-message-signatures.txt says how they are written. */
function rows(string $path): array
{
    $lines = array_filter(file($path, FILE_IGNORE_NEW_LINES), fn ($line) => $line !== '' && $line[0] !== '#');
    return array_map(function ($line) {
        [$what, $code, $find, $put] = preg_split('/ \| ?/', $line);
        return [$what, $code, $find, str_replace(['\r\n', '\x20'], ["\r\n", ' '], $put)];
    }, $lines);
}

function changed(string $text, string $find, string $put): string
{
    $pattern = '~' . str_replace('~', '\~', $find) . '~';
    expect(1, preg_match_all($pattern, $text), "how often $find stands in $text");
    $changed = preg_replace($pattern, $put, $text);
    return $changed !== $text ? $changed : throw new Exception("$find changes nothing in $text");
}

/** Sends a request, and gives the code of its refusal: `-` where there is none. */
function send(string $address, string $text): string
{
    [$head, $body] = explode("\r\n\r\n", $text, 2);
    $head .= "\r\nConnection: close";
    if ($body !== '' && !preg_match('/\r\n(Content-Length|Transfer-Encoding): /', $head)) {
        $head .= "\r\nContent-Length: " . strlen($body);
    }
    $socket = stream_socket_client("tcp://$address", $number, $fault, 20) ?: throw new Exception($fault);
    stream_set_timeout($socket, 20);
    fwrite($socket, "$head\r\n\r\n$body");
    $answer = stream_get_contents($socket);
    fclose($socket);
    [$head, $body] = explode("\r\n\r\n", $answer, 2);
    if (!preg_match('~^content-type: application/problem\+json\r?$~mi', $head)) {
        return str_starts_with($head, 'HTTP/1.1 400 ') ? '-' : $answer;
    }
    $problem = json_decode($body, true, 8, JSON_THROW_ON_ERROR);
    return str_starts_with($head, "HTTP/1.1 {$problem['status']} ") ? $problem['code'] : $answer;
}
